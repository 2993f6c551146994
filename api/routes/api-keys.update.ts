import { z } from 'zod';
import { changeApiKey, type KeyTerms } from '../../prisma/api-keys.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { keyFields, requireFuture } from '../key-fields.ts';
import { giverIdsOf, grantOf, refuseMore } from '../key-grants.ts';
import { apiKeySchema, requireApiKeyId, toApiKeyObject } from '../key-object.ts';
import { merchantRoute } from '../route.ts';

const body = z
  .strictObject({
    name: keyFields.name.optional(),
    description: keyFields.description.nullable().optional(),
    permissions: keyFields.permissions.optional().describe('Replaces all of them; at most what the caller may'),
    rate_limit_per_minute: keyFields.rate_limit_per_minute.optional(),
    rate_limit_per_hour: keyFields.rate_limit_per_hour.optional(),
    rate_limit_per_day: keyFields.rate_limit_per_day.optional(),
    ip_whitelist: keyFields.ip_whitelist.optional(),
    ip_blacklist: keyFields.ip_blacklist.optional(),
    expires_at: keyFields.expires_at.nullable().optional(),
    allowed_hours: keyFields.allowed_hours.nullable().optional(),
    requires_signature: keyFields.requires_signature.optional(),
  })
  .meta({ id: 'UpdateApiKey' });

/** `PUT /api/v1/auth/api-keys/{id}`. */
export const updateApiKey = merchantRoute(
  {
    operationId: 'updateApiKey',
    method: 'put',
    path: '/api/v1/auth/api-keys/{id}',
    summary: 'Change an API key',
    description:
      'Changes the given fields, and takes back those that are null; the others stay. Secret and mode cannot be changed, and ' +
      'a revoked key stays revoked. Nobody gives more than they have, also not by an expiry or a list that is taken back: a key ' +
      'that may do what the caller may not can be renamed and revoked by them, not changed otherwise; and a key that calls ' +
      'leaves no key with more than its own limits, addresses, hours and expiry. It holds ' +
      'everywhere within a second.',
    permission: 'api_keys:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The key with its changes', schema: apiKeySchema } },
    problems: [
      'invalid_json',
      'not_found',
      'too_many_api_keys',
      'body_too_large',
      'unsupported_media_type',
      'validation_failed',
    ],
  },
  async (deps, request, caller) => {
    const { body: wanted, receivedAt } = request;
    const id = requireApiKeyId(request.params.id);
    const by = actBy(request, caller);
    const changed = await changeApiKey(deps.db, caller, id, giverIdsOf(caller), by, (giver, key) => {
      const changes = changesOf(wanted);
      const grant = grantOf(caller, giver);
      // As it will be, and not only what changes: an expiry taken back gives all that the key may do.
      if (!isAboutNames(changes)) refuseMore(grant, { ...key, ...changes });
      requireFuture(wanted.expires_at, receivedAt);
      if (wanted.requires_signature === true && !key.hasSigningSecret) throw cannotSign();
      return changes;
    });
    if (changed === null) throw new Problem('not_found');
    if (changed.kind === 'full') throw new Problem('too_many_api_keys');
    return { status: 200, data: toApiKeyObject(changed.key, receivedAt) };
  },
);

/** The fields that are given. */
function changesOf(wanted: z.infer<typeof body>): Partial<KeyTerms> {
  const terms = {
    name: wanted.name,
    description: wanted.description,
    permissions: wanted.permissions,
    rateLimitPerMinute: wanted.rate_limit_per_minute,
    rateLimitPerHour: wanted.rate_limit_per_hour,
    rateLimitPerDay: wanted.rate_limit_per_day,
    ipWhitelist: wanted.ip_whitelist,
    ipBlacklist: wanted.ip_blacklist,
    expiresAt: wanted.expires_at,
    allowedHours: wanted.allowed_hours,
    requiresSignature: wanted.requires_signature,
  };
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
}

/** Whether the key may do after it what it did before. */
function isAboutNames(changes: Partial<KeyTerms>): boolean {
  return Object.keys(changes).every((field) => field === 'name' || field === 'description');
}

function cannotSign(): Problem {
  const detail = 'is not possible: the key has no signing secret. Make one with `signing`';
  return new Problem('validation_failed', { errors: [{ pointer: '/requires_signature', detail }] });
}
