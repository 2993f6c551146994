import { z } from 'zod';
import { passwordLengthMax } from '../../runtime/password.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { login } from '../login.ts';
import { identify } from '../middleware/authenticate.ts';
import { budgetsOf } from '../middleware/limit-callers.ts';
import { requireWithinRules } from '../middleware/restrict-keys.ts';
import { permissionsOfRole } from '../permissions.ts';
import type { Principal } from '../principal.ts';
import { publicRoute } from '../route.ts';
import { beginSession, type SessionWish } from '../sessions.ts';
import { text } from '../text.ts';
import { permissionName, tokensSchema, toTokensObject } from '../token-object.ts';

const headers = z.object({
  authorization: z
    .string()
    .optional()
    .describe('For `grant: api_key`: `Bearer` and the API key. Not looked at otherwise.'),
});

const permissions = z
  .array(permissionName)
  .min(1)
  .max(100)
  .transform((given) => [...new Set(given)])
  .optional()
  .describe('What the session may do at most; all that the role or the key allows if absent');

const byPassword = z
  .strictObject({
    grant: z.literal('password'),
    merchant_id: text(100).optional().describe('Absent for those who act for the platform'),
    email: text(254),
    password: z
      .string()
      .min(1)
      .max(2 * passwordLengthMax), // it is counted in characters, and this in UTF-16
    mode: z.enum(['test', 'live']).optional().describe('With `merchant_id`: the mode of the session, for all its life'),
    totp_code: z
      .string()
      .regex(/^\d{6}$/, 'must be six digits')
      .optional()
      .describe('The code that the authenticator shows, for who has set one up'),
    recovery_code: text(100).optional().describe('Instead of `totp_code`, for who has lost the authenticator'),
    permissions,
  })
  .superRefine(({ merchant_id: merchantId, mode, totp_code: totp, recovery_code: recovery }, context) => {
    const refuse = (member: string, message: string) => context.addIssue({ code: 'custom', path: [member], message });
    if (merchantId !== undefined && mode === undefined) refuse('mode', 'is needed with merchant_id: test or live');
    if (merchantId === undefined && mode !== undefined) refuse('mode', 'is for users of a merchant alone');
    if (totp !== undefined && recovery !== undefined) refuse('recovery_code', 'must not be sent beside totp_code');
  });

const byApiKey = z.strictObject({ grant: z.literal('api_key'), permissions });

const body = z.discriminatedUnion('grant', [byPassword, byApiKey]).meta({ id: 'CreateTokens' });

/** `POST /api/v1/auth/tokens`: a login, or a key that asks for a token. */
export const createTokens = publicRoute(
  {
    operationId: 'createTokens',
    method: 'post',
    path: '/api/v1/auth/tokens',
    summary: 'Log in, or get an access token for an API key',
    description:
      '`password`: a user logs in, and gets an access token for a quarter of an hour and a refresh token for 30 days; the ' +
      'session lasts 90 days at most. `api_key`: a key gets an access token to hand on, with the same permissions or fewer, ' +
      'and no refresh token; the key’s own rules hold for the token too. Keys that require signatures get none.',
    permission: null,
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The session’s tokens', schema: tokensSchema } },
    problems: [
      'invalid_json',
      'unauthorized',
      'api_key_expired',
      'api_key_revoked',
      'login_refused',
      'totp_code_required',
      'totp_code_refused',
      'signature_required',
      'forbidden',
      'merchant_suspended',
      'user_suspended',
      'address_not_allowed',
      'outside_allowed_hours',
      'body_too_large',
      'unsupported_media_type',
      'login_locked',
      'internal_error',
      'unavailable',
    ],
  },
  async (deps, request) => {
    const { receivedAt: now, origin: address } = request;
    const wish =
      request.body.grant === 'password'
        ? await wishOfUser(deps, request.body, { address, now })
        : await wishOfKey(deps, request.body, { authorization: request.headers.authorization, address, now });
    const tokens = await beginSession(deps, wish, request);
    return { status: 201, data: toTokensObject(tokens, now) };
  },
);

interface Circumstances {
  readonly address: string;
  readonly now: Date;
}

async function wishOfUser(
  deps: ApiDeps,
  given: z.infer<typeof byPassword>,
  circumstances: Circumstances,
): Promise<SessionWish> {
  const { email, password, totp_code: totpCode, recovery_code: recoveryCode } = given;
  const attempt = { merchantId: given.merchant_id ?? null, email, password, totpCode, recoveryCode };
  const { userId, merchantId, role, hasTotp, passwordHash } = await login(deps, { ...attempt, ...circumstances });
  const wanted = given.permissions ?? [];
  requireSubset(wanted, permissionsOfRole(role), 'role');
  return { of: { userId, passwordHash }, merchantId, isTest: given.mode === 'test', permissions: wanted, hasTotp };
}

async function wishOfKey(
  deps: ApiDeps,
  given: z.infer<typeof byApiKey>,
  { authorization, address, now }: Circumstances & { readonly authorization: string | undefined },
): Promise<SessionWish> {
  const { principal, outage } = await identify(deps, authorization === undefined ? [] : [authorization]);
  if (outage !== null) throw outage;
  if (principal?.kind !== 'merchant' || principal.credential.kind !== 'api_key')
    throw new Problem('forbidden', { detail: 'Only a merchant’s API key gets an access token without a login.' });
  const { keyId, key } = principal.credential;
  await requireBudget(deps, principal);
  requireWithinRules(principal, address, now);
  if (key.requiresSignature)
    throw new Problem('signature_required', { detail: 'This key takes signed requests only, so it gets no tokens.' });
  const wanted = given.permissions ?? [];
  requireSubset(wanted, principal.permissions, 'key');
  const { merchantId, isTest } = principal;
  return { of: { keyId, endsAt: key.expiresAt }, merchantId, isTest, permissions: wanted, hasTotp: false };
}

/** A key has no more tokens than requests: those that it got share its budgets. */
async function requireBudget(deps: ApiDeps, principal: Principal): Promise<void> {
  const standing = await deps.rateLimits.spend(budgetsOf(principal, 'createTokens'));
  if (standing?.isExceeded === true)
    throw new Problem('rate_limited', { headers: { 'Retry-After': String(standing.resetSeconds) } });
}

/** Nobody gives what they do not have. */
function requireSubset(wanted: readonly string[], allowed: readonly string[], whose: 'role' | 'key'): void {
  const missing = wanted.filter((permission) => !allowed.includes(permission));
  if (missing.length > 0)
    throw new Problem('forbidden', { detail: `This ${whose} lacks what was asked for: ${missing.join(', ')}.` });
}
