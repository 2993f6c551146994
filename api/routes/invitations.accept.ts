import { z } from 'zod';
import { acceptInvitation, findInvitation } from '../../prisma/users.ts';
import { invitationHash } from '../../runtime/invitation.ts';
import { hashPassword } from '../../runtime/password.ts';
import { Problem } from '../errors.ts';
import { requireGoodPassword } from '../new-password.ts';
import { inTurn } from '../password-turns.ts';
import { publicRoute } from '../route.ts';
import { newPassword, toUserObject, userFields, userSchema } from '../user-object.ts';

const body = z
  .strictObject({
    invitation_token: z.string().max(100).describe('`poi_…`, as the invitation has it'),
    password: newPassword,
    name: userFields.name.optional(),
  })
  .meta({ id: 'AcceptInvitation' });

/** `POST /api/v1/auth/invitations/accept`. */
export const acceptInvitationRoute = publicRoute(
  {
    operationId: 'acceptInvitation',
    method: 'post',
    path: '/api/v1/auth/invitations/accept',
    summary: 'Accept an invitation',
    description: 'Sets the password; from then on the user can log in. An invitation is accepted once.',
    permission: null,
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'The user, active now', schema: userSchema } },
    problems: [
      'invalid_json',
      'invitation_refused',
      'merchant_suspended',
      'body_too_large',
      'unsupported_media_type',
      'unavailable',
    ],
  },
  async ({ db, apiKeyPepper }, { body: { invitation_token: token, password, name }, requestId, receivedAt }) => {
    const hash = invitationHash(token, apiKeyPepper);
    const invitation = await findInvitation(db, hash, receivedAt);
    if (invitation === null) throw new Problem('invitation_refused');
    if (!invitation.isMerchantActive) throw new Problem('merchant_suspended');
    const { email, name: givenName, merchantId } = invitation.user;
    requireGoodPassword(password, '/password', { email, name: name ?? givenName });
    const accepted = { passwordHash: await inTurn(hashPassword(password)), name: name ?? null };
    const by = { correlationId: requestId, at: receivedAt };
    const user = await acceptInvitation(db, merchantId, hash, accepted, by);
    if (user === null) throw new Problem('invitation_refused');
    return { status: 200, data: toUserObject(user) };
  },
);
