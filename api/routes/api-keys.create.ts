import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createApiKey, type KeyTerms, keyLimits } from '../../prisma/api-keys.ts';
import { makeKey, makeSigningSecret } from '../../runtime/api-key.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { keyFields, requireFuture } from '../key-fields.ts';
import { type Grant, giverIdsOf, grantOf, refuseMore } from '../key-grants.ts';
import { newApiKeySchema, toApiKeyObject } from '../key-object.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, repeatHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body make one API key, shown once. Made if absent.'),
});

const usual = (limit: keyof typeof keyLimits) => `${keyLimits[limit].usual.toLocaleString('en-US')} if absent`;

const body = z
  .strictObject({
    name: keyFields.name,
    description: keyFields.description.nullable().optional(),
    permissions: keyFields.permissions,
    rate_limit_per_minute: keyFields.rate_limit_per_minute.optional().describe(usual('rateLimitPerMinute')),
    rate_limit_per_hour: keyFields.rate_limit_per_hour.optional().describe(usual('rateLimitPerHour')),
    rate_limit_per_day: keyFields.rate_limit_per_day.optional().describe(usual('rateLimitPerDay')),
    ip_whitelist: keyFields.ip_whitelist.optional(),
    ip_blacklist: keyFields.ip_blacklist.optional(),
    expires_at: keyFields.expires_at.nullable().optional(),
    allowed_hours: keyFields.allowed_hours.nullable().optional(),
    requires_signature: keyFields.requires_signature.optional(),
    signing: z
      .boolean()
      .optional()
      .describe(
        'Whether to make a signing secret too, so that requests can be signed; always made for `requires_signature`',
      ),
  })
  .meta({ id: 'CreateApiKey' });

type Wanted = z.infer<typeof body>;

/** `POST /api/v1/auth/api-keys`. */
export const createApiKeyRoute = merchantRoute(
  {
    operationId: 'createApiKey',
    method: 'post',
    path: '/api/v1/auth/api-keys',
    summary: 'Create an API key',
    description:
      'A key of this merchant in this mode, with at most the permissions of the caller. A key that makes another one passes on ' +
      'its own limits, addresses, hours, expiry and need of a signature where the request names none, and may not name more.\n\n' +
      '`api_key` and `signing_secret` stand in this answer alone, and nobody can look them up later: the answer to a repeat ' +
      'with the same `Idempotency-Key` is the key without them. If that first answer was lost, revoke the key and make another.' +
      '\n\nTo rotate: make a second key, move over to it, watch `last_used_at` of the first, and revoke that. Both work ' +
      'meanwhile; `expires_at` of the first bounds the overlap. At most 20 keys may be active.',
    permission: 'api_keys:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The key; with its secrets, this once', schema: newApiKeySchema } },
    problems: [
      'invalid_json',
      'too_many_api_keys',
      'body_too_large',
      'unsupported_media_type',
      'validation_failed',
      'idempotency_key_reused',
    ],
  },
  async (deps, request, caller) => {
    const { body: wanted, receivedAt } = request;
    const repeatKey = request.headers['idempotency-key'] ?? randomUUID();
    const requestHash = hashOfBody(request.rawBody);
    const { text, keyId, secretHash } = makeKey(caller.isTest ? 'test' : 'live', deps.apiKeyPepper);
    const signingSecret = makeSigningSecret();
    const made = await createApiKey(
      deps.db,
      caller,
      { keyId, secretHash, idempotencyKey: repeatKey, requestHash },
      giverIdsOf(caller),
      actBy(request, caller),
      (giver) => {
        const grant = grantOf(caller, giver);
        const terms = termsOf(wanted, grant);
        refuseMore(grant, terms);
        requireFuture(wanted.expires_at, receivedAt);
        const isSigning = wanted.signing === true || terms.requiresSignature;
        return { ...terms, signingSecret: isSigning ? deps.secretBox.seal(signingSecret, keyId) : null };
      },
    );
    if (made.kind === 'full') throw new Problem('too_many_api_keys');
    const { kind, key } = made;
    if (key.requestHash !== requestHash) throw new Problem('idempotency_key_reused');
    const isReplay = kind === 'existing';
    const secrets = { api_key: text, ...(key.hasSigningSecret && { signing_secret: signingSecret }) };
    return {
      status: 201,
      headers: repeatHeaders(`/api/v1/auth/api-keys/${key.id}`, repeatKey, isReplay),
      data: { ...toApiKeyObject(key, receivedAt), ...(isReplay ? {} : secrets) },
    };
  },
);

/** What the key will be: as asked, else as the key that makes it, else as usual. */
function termsOf(wanted: Wanted, { key: own }: Grant): KeyTerms {
  const limit = (asked: number | undefined, name: keyof typeof keyLimits) =>
    asked ?? Math.min(keyLimits[name].usual, own?.[name] ?? Infinity);
  const { expires_at: expiresAt = own?.expiresAt ?? null, allowed_hours: allowedHours = own?.allowedHours ?? null } =
    wanted;
  return {
    name: wanted.name,
    description: wanted.description ?? null,
    permissions: wanted.permissions,
    rateLimitPerMinute: limit(wanted.rate_limit_per_minute, 'rateLimitPerMinute'),
    rateLimitPerHour: limit(wanted.rate_limit_per_hour, 'rateLimitPerHour'),
    rateLimitPerDay: limit(wanted.rate_limit_per_day, 'rateLimitPerDay'),
    ipWhitelist: wanted.ip_whitelist ?? own?.ipWhitelist ?? [],
    ipBlacklist: wanted.ip_blacklist ?? own?.ipBlacklist ?? [],
    expiresAt,
    allowedHours,
    requiresSignature: wanted.requires_signature ?? own?.requiresSignature ?? false,
  };
}
