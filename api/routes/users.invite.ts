import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { inviteUser } from '../../prisma/users.ts';
import { makeInvitation } from '../../runtime/invitation.ts';
import { userIdOf } from '../../workflows/domain/ids.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { requireLiveMode } from '../live-mode.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, repeatHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { invitedUserSchema, merchantRole, toUserObject, userFields } from '../user-object.ts';
import { requireMayInvite, userIdOfCaller } from '../user-rules.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body answer with the same user. Made if absent.'),
});

const body = z
  .strictObject({
    email: userFields.email,
    role: merchantRole.describe('Its permissions must be yours too; only owners make owners'),
    name: userFields.name.optional(),
  })
  .meta({ id: 'InviteUser' });

/** `POST /api/v1/users`. */
export const inviteUserRoute = merchantRoute(
  {
    operationId: 'inviteUser',
    method: 'post',
    path: '/api/v1/users',
    summary: 'Invite a user',
    description:
      'Makes a user who can log in after accepting the invitation. `invitation_token` is shown by this answer alone: a repeat ' +
      'with the same `Idempotency-Key` answers the user without it. Inviting the same address again with ' +
      'another key, before the invitation is accepted, makes a new token with the role of that request, and voids the old one. ' +
      'Users are the same in both modes: it takes a session of live mode.',
    permission: 'users:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The user, with the invitation', schema: invitedUserSchema } },
    problems: [
      'invalid_json',
      'forbidden',
      'wrong_mode',
      'email_taken',
      'body_too_large',
      'unsupported_media_type',
      'idempotency_key_reused',
    ],
  },
  async (deps, request, caller) => {
    requireLiveMode(caller);
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const id = userIdOf(caller.merchantId, key);
    const { email, role, name } = request.body;
    const { text, hash: invitationHash, expiresAt } = makeInvitation(deps.apiKeyPepper, request.receivedAt);
    const by = { ...actBy(request, caller), managerId: userIdOfCaller(caller) };
    const asked = { idempotencyKey: key, hash: hashOfBody(request.rawBody) };
    const wanted = { id, email, name: name ?? null, role, invitationHash, expiresAt, request: asked };
    const made = await inviteUser(deps.db, caller.merchantId, wanted, by, (manager, before) =>
      requireMayInvite(caller, manager, role, before),
    );
    if (made.kind === 'email_taken') throw new Problem('email_taken');
    const isReplay = made.kind === 'existing';
    if (isReplay && made.user.requestHash !== asked.hash) throw new Problem('idempotency_key_reused');
    return {
      status: 201,
      headers: repeatHeaders(`/api/v1/users/${made.user.id}`, key, isReplay),
      data: { ...toUserObject(made.user), ...(!isReplay && { invitation_token: text }) },
    };
  },
);
