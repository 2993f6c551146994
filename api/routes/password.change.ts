import { z } from 'zod';
import { changePassword, findPasswordOwner } from '../../prisma/logins.ts';
import { hashPassword } from '../../runtime/password.ts';
import { actBy } from '../act-by.ts';
import { requireCurrentPassword, wrongPassword } from '../current-password.ts';
import { givenPassword, newPassword } from '../login-fields.ts';
import { requireGoodPassword } from '../new-password.ts';
import { inTurn } from '../password-turns.ts';
import { requirePerson } from '../require-person.ts';
import { selfRoute } from '../route.ts';

const body = z
  .strictObject({ current_password: givenPassword, new_password: newPassword })
  .meta({ id: 'ChangePassword' });

/** `PUT /api/v1/auth/password`. */
export const changePasswordRoute = selfRoute(
  {
    operationId: 'changePassword',
    method: 'put',
    path: '/api/v1/auth/password',
    summary: 'Change your password',
    description:
      'Ends all other sessions of yours. Too many wrong ones of `current_password` must wait, from wherever they come. For people alone.',
    permission: 'self',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'It is changed', schema: z.object({ changed: z.literal(true) }) } },
    problems: ['invalid_json', 'forbidden', 'login_locked', 'body_too_large', 'unsupported_media_type', 'unavailable'],
  },
  async (deps, request, who) => {
    const { userId, sessionId } = requirePerson(who);
    const { current_password: current, new_password: wanted } = request.body;
    const owner = await findPasswordOwner(deps.db, userId);
    requireGoodPassword(wanted, '/new_password', owner);
    await requireCurrentPassword(deps, request, { userId, ...owner }, current, '/current_password');
    const change = { before: owner.passwordHash, after: await inTurn(hashPassword(wanted)), sessionId };
    if (!(await changePassword(deps.db, userId, change, actBy(request, who)))) throw wrongPassword('/current_password');
    return { status: 200, data: { changed: true } };
  },
);
