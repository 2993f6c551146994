import { z } from 'zod';
import { acceptInvitation, findInvitation } from '../../prisma/users.ts';
import { clientNetworkOf } from '../../runtime/client-network.ts';
import { invitationHash } from '../../runtime/invitation.ts';
import { hashPassword } from '../../runtime/password.ts';
import { actByOwner } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { loginAddressHash } from '../login.ts';
import { newPassword } from '../login-fields.ts';
import { requireGoodPassword } from '../new-password.ts';
import { inTurn } from '../password-turns.ts';
import { publicRoute } from '../route.ts';
import { toUserObject, userFields, userSchema } from '../user-object.ts';

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
  async ({ db, apiKeyPepper }, request) => {
    const { invitation_token: token, password, name } = request.body;
    const hash = invitationHash(token, apiKeyPepper);
    const invitation = await findInvitation(db, hash, request.receivedAt);
    if (invitation === null) throw new Problem('invitation_refused');
    if (!invitation.isMerchantActive) throw new Problem('merchant_suspended');
    const { email, name: givenName, merchantId } = invitation.user;
    requireGoodPassword(password, '/password', { email, name: name ?? givenName });
    const addressHash = loginAddressHash(clientNetworkOf(request.origin), apiKeyPepper);
    const accepted = { passwordHash: await inTurn(hashPassword(password)), name: name ?? null, addressHash };
    const user = await acceptInvitation(db, merchantId, hash, accepted, actByOwner(request));
    if (user === null) throw new Problem('invitation_refused');
    return { status: 200, data: toUserObject(user) };
  },
);
