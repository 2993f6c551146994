import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { settingChangesSchema } from '../../prisma/merchant-settings.ts';
import { makeMerchant } from '../../prisma/merchants.ts';
import { inviteUser } from '../../prisma/users.ts';
import { makeInvitation } from '../../runtime/invitation.ts';
import { merchantIdOf, userIdOf } from '../../workflows/domain/ids.ts';
import { actBy } from '../act-by.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { newMerchantSchema, toMerchantObject } from '../merchant-object.ts';
import type { Operator } from '../principal.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, repeatHeaders } from '../request-headers.ts';
import { platformRoute, type RouteRequest } from '../route.ts';
import { words } from '../text.ts';
import { type invitedUserSchema, toUserObject, userFields } from '../user-object.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body answer with the same merchant. Made if absent.'),
});

const body = z
  .strictObject({
    name: words(200).describe('As payers read it in mails'),
    settings: settingChangesSchema.default({}).describe('Those that differ from what merchants have by default'),
    owner: z
      .strictObject({ email: userFields.email, name: userFields.name.optional() })
      .optional()
      .describe('Invites the first user, as an owner'),
  })
  .meta({ id: 'CreateMerchant' });

type CreateRequest = RouteRequest<unknown, unknown, z.infer<typeof body>>;

/** In place of a key of the merchant's own requests, of which none is empty: no invitation of theirs has the owner's id. */
const ownKey = '';

/** `POST /api/v1/merchants`. */
export const createMerchantRoute = platformRoute(
  {
    operationId: 'createMerchant',
    method: 'post',
    path: '/api/v1/merchants',
    summary: 'Create a merchant',
    description:
      'Makes a merchant, active at once, and invites its first owner, who manages users and API keys from then on. ' +
      '`owner.invitation_token` is shown by this answer alone: a repeat with the same `Idempotency-Key` answers without it.',
    permission: 'merchants:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The merchant', schema: newMerchantSchema } },
    problems: ['invalid_json', 'email_taken', 'body_too_large', 'unsupported_media_type', 'idempotency_key_reused'],
  },
  async (deps, request, operator) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const id = merchantIdOf(key);
    const requestHash = hashOfBody(request.rawBody);
    const { name, settings } = request.body;
    const wanted = { id, name, settings, idempotencyKey: key, requestHash };
    const { kind, merchant } = await makeMerchant(deps.db, wanted, actBy(request, operator));
    if (merchant.request_hash !== requestHash) throw new Problem('idempotency_key_reused');
    const owner = await invited(deps, request, operator, { merchantId: id, userId: userIdOf(id, ownKey) });
    return {
      status: 201,
      headers: repeatHeaders(`/api/v1/merchants/${id}`, key, kind === 'existing'),
      data: { ...toMerchantObject(merchant), ...(owner && { owner }) },
    };
  },
);

/** The owner whom the request wants, invited once: a repeat does what is left to do after a crash, and shows no token twice. */
async function invited(
  deps: ApiDeps,
  request: CreateRequest,
  operator: Operator,
  { merchantId, userId }: { readonly merchantId: string; readonly userId: string },
): Promise<z.infer<typeof invitedUserSchema> | null> {
  const { owner } = request.body;
  if (owner === undefined) return null;
  const { text, hash: invitationHash, expiresAt } = makeInvitation(deps.apiKeyPepper, request.receivedAt);
  const wanted = {
    id: userId,
    email: owner.email,
    name: owner.name ?? null,
    role: 'owner',
    invitationHash,
    expiresAt,
    request: null,
  };
  const made = await inviteUser(deps.db, merchantId, wanted, actBy(request, operator));
  if (made.kind === 'email_taken') throw new Problem('email_taken');
  return { ...toUserObject(made.user), ...(made.kind === 'invited' && { invitation_token: text }) };
}
