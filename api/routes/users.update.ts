import { z } from 'zod';
import { changeUser } from '../../prisma/users.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { requireLiveMode } from '../live-mode.ts';
import { merchantRoute } from '../route.ts';
import { merchantRole, requireUserId, toUserObject, userFields, userSchema } from '../user-object.ts';
import { judgeChange, userIdOfCaller } from '../user-rules.ts';

const body = z
  .strictObject({
    role: merchantRole.optional(),
    status: z
      .enum(['active', 'suspended'])
      .optional()
      .describe('`active` for somebody who has not accepted the invitation yet means `invited`'),
    name: userFields.name.nullable().optional(),
  })
  .meta({ id: 'UpdateUser' });

/** `PUT /api/v1/users/{id}`. */
export const updateUser = merchantRoute(
  {
    operationId: 'updateUser',
    method: 'put',
    path: '/api/v1/users/{id}',
    summary: 'Change a user',
    description:
      'Changes the given fields; the others stay. It takes effect at once. Who is suspended loses all sessions and can neither ' +
      'log in nor accept an invitation. Nobody gives a role that allows more than their own, only owners change owners, and ' +
      'the last active owner stays one. Users are the same in both modes: it takes a session of live mode.',
    permission: 'users:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The user with the changes', schema: userSchema } },
    problems: [
      'invalid_json',
      'forbidden',
      'wrong_mode',
      'not_found',
      'last_owner',
      'body_too_large',
      'unsupported_media_type',
    ],
  },
  async (deps, request, caller) => {
    requireLiveMode(caller);
    const userId = requireUserId(request.params.id);
    const by = { ...actBy(request, caller), managerId: userIdOfCaller(caller) };
    const row = await changeUser(deps.db, caller.merchantId, userId, by, (standing) =>
      judgeChange(caller, standing, request.body),
    );
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toUserObject(row) };
  },
);
