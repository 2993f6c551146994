import { z } from 'zod';
import { findUser } from '../../prisma/users.ts';
import { Problem } from '../errors.ts';
import { merchantRoute } from '../route.ts';
import { requireUserId, toUserObject, userSchema } from '../user-object.ts';

/** `GET /api/v1/users/{id}`. */
export const getUser = merchantRoute(
  {
    operationId: 'getUser',
    method: 'get',
    path: '/api/v1/users/{id}',
    summary: 'Get a user',
    description: 'The user as they are now.',
    permission: 'users:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The user', schema: userSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const row = await findUser(deps.db, caller.merchantId, requireUserId(request.params.id));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toUserObject(row) };
  },
);
