import { hashSecret } from '../runtime/api-key.ts';
import { clientNetworkOf } from '../runtime/client-network.ts';
import type { Budget } from '../runtime/rate-limits.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import { identify } from './identify.ts';
import { type LoginAttempt, login } from './login.ts';
import { requireBudget } from './middleware/hold-to-limit.ts';
import { budgetsOf, countUse } from './middleware/limit-callers.ts';
import { requireWithinRules } from './middleware/restrict-keys.ts';
import { permissionsOfRole } from './permissions.ts';
import type { SessionWish } from './sessions.ts';

/** What is asked of a session to be. */
interface WishedTerms {
  /** What it may do at most; absent: all that the role or the key allows. */
  readonly permissions?: readonly string[] | undefined;
}

/** Logins of one account from one address, right ones too: each costs a hash that others wait for. */
const loginsPerMinute = 30;

/** The session of a user who logs in. Throws what `login` does, and `forbidden` for permissions that the role lacks. */
export async function wishOfUser(
  deps: ApiDeps,
  attempt: LoginAttempt,
  { permissions = [], mode }: WishedTerms & { readonly mode?: 'test' | 'live' | undefined },
): Promise<SessionWish> {
  requireBudget(await deps.rateLimits.spend([loginBudget(deps, attempt)]));
  const { userId, merchantId, role, hasTotp, passwordHash } = await login(deps, attempt);
  requireSubset(permissions, permissionsOfRole(role), 'role');
  return { of: { userId, passwordHash }, merchantId, isTest: mode === 'test', permissions, hasTotp };
}

function loginBudget({ apiKeyPepper }: ApiDeps, { merchantId, email, address }: LoginAttempt): Budget {
  const who = hashSecret(JSON.stringify([merchantId, email.toLowerCase(), clientNetworkOf(address)]), apiKeyPepper);
  return { name: `login:${who}`, policy: 'login', limit: loginsPerMinute, windowSeconds: 60 };
}

/** By what a key asks for a session, from where, and when. */
interface KeyRequest {
  readonly authorization: string | undefined;
  readonly address: string;
  readonly now: Date;
}

/**
 * The session of the merchant's key in `Authorization`, as long as the key lasts. Throws a `Problem` unless the key may be used
 * here and now, or for permissions that it lacks. It counts in the key's budgets: a key has no more tokens than requests.
 */
export async function wishOfKey(
  deps: ApiDeps,
  { authorization, address, now }: KeyRequest,
  { permissions = [] }: WishedTerms,
): Promise<SessionWish> {
  const { principal, outage } = await identify(deps, authorization === undefined ? [] : [authorization]);
  if (outage !== null) throw outage;
  if (principal?.kind !== 'merchant' || principal.credential.kind !== 'api_key')
    throw new Problem('forbidden', { detail: 'Only a merchant’s API key gets an access token without a login.' });
  const { keyId, key } = principal.credential;
  requireWithinRules(principal, address, now);
  if (key.requiresSignature)
    throw new Problem('signature_required', { detail: 'This key takes signed requests only, so it gets no tokens.' });
  requireSubset(permissions, principal.permissions, 'key');
  requireBudget(await deps.rateLimits.spend(budgetsOf(principal, 'createTokens')));
  countUse(deps, principal);
  const { merchantId, isTest } = principal;
  return { of: { keyId, endsAt: key.expiresAt }, merchantId, isTest, permissions, hasTotp: false };
}

/** Nobody gives what they do not have. */
function requireSubset(wanted: readonly string[], allowed: readonly string[], whose: 'role' | 'key'): void {
  const missing = wanted.filter((permission) => !allowed.includes(permission));
  if (missing.length > 0)
    throw new Problem('forbidden', { detail: `This ${whose} lacks what was asked for: ${missing.join(', ')}.` });
}
