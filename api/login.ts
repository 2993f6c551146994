import { takeRecoveryCode, takeTotpStep } from '../prisma/authenticators.ts';
import { findLogin, type LoginRow, recordLogin, replacePasswordHash } from '../prisma/logins.ts';
import { hashSecret } from '../runtime/api-key.ts';
import { clientNetworkOf } from '../runtime/client-network.ts';
import { checkPassword, hashPassword, PasswordsBusy } from '../runtime/password.ts';
import { recoveryCodeHash, totpStepOf } from '../runtime/totp.ts';
import type { ApiDeps } from './deps.ts';
import { Problem, type ProblemCode } from './errors.ts';
import { takeLoginTry } from './login-tries.ts';
import { inTurn } from './password-turns.ts';

/** Somebody who wants to log in. */
export interface LoginAttempt {
  /** Null: one of the platform's own people. */
  readonly merchantId: string | null;
  readonly email: string;
  readonly password: string;
  readonly totpCode?: string | undefined;
  /** Counts where there is no `totpCode`. */
  readonly recoveryCode?: string | undefined;
  /** The client's. */
  readonly address: string;
  readonly now: Date;
}

/** Who has logged in. */
export interface LoggedIn {
  readonly userId: string;
  readonly merchantId: string | null;
  readonly role: string;
  /** Whether an authenticator's code, or a recovery code, was part of it. */
  readonly hasTotp: boolean;
  /** The hash that the password fitted: a session is opened only while it is still the user's. */
  readonly passwordHash: string;
}

type Deps = Pick<ApiDeps, 'db' | 'apiKeyPepper' | 'secretBox'>;

/**
 * Proves who somebody is. Throws `login_refused`, in the same words and after the same work, whether the account is unknown,
 * was never activated, or has another password; whoever has the right one learns what else is in the way. Throws
 * `login_locked` before any of that for one try too many.
 */
export async function login(deps: Deps, attempt: LoginAttempt): Promise<LoggedIn> {
  const { merchantId, email, now } = attempt;
  const network = clientNetworkOf(attempt.address);
  const addressHash = loginAddressHash(network, deps.apiKeyPepper);
  const user = await findLogin(deps.db, merchantId, email, { addressHash, now });
  const account = user?.id ?? `${merchantId ?? ''}:${email.toLowerCase()}`;
  const isFamiliar = user?.is_familiar ?? false;
  const counted = await takeLoginTry(deps, { account, network, isFamiliar }, now);
  let proof: Proof;
  try {
    proof = await proofOf(deps, user, attempt);
  } catch (error) {
    await counted.settle('undecided').catch(() => undefined); // what it was counted for did not take place
    throw error;
  }
  await counted.settle(proof.verdict);
  if (proof.verdict !== 'passed') throw new Problem(proof.code);
  const { id: userId, role } = proof.user;
  const isStillSo = await recordLogin(deps.db, userId, { passwordHash: proof.passwordHash, addressHash, now });
  if (!isStillSo) throw new Problem('login_refused');
  const { hasTotp } = proof;
  const passwordHash = proof.needsRehash ? await rehash(deps, userId, proof, attempt.password) : proof.passwordHash;
  return { userId, merchantId: proof.user.merchant_id, role, hasTotp, passwordHash };
}

/** By what an address is remembered that somebody logged in from; `network` as `clientNetworkOf` names it. */
export function loginAddressHash(network: string, pepper: string): string {
  return hashSecret(`login_address:${network}`, pepper);
}

/** Brings a hash up to today's cost, and returns it. While others wait for theirs it can wait too: the next login tries again. */
async function rehash(
  { db }: Deps,
  userId: string,
  { passwordHash: before }: Pick<LoggedIn, 'passwordHash'>,
  password: string,
): Promise<string> {
  try {
    const after = await hashPassword(password);
    return (await replacePasswordHash(db, userId, before, after)) ? after : before;
  } catch (error) {
    if (!(error instanceof PasswordsBusy)) throw error;
    return before;
  }
}

type Proof =
  | { readonly verdict: 'failed' | 'undecided'; readonly code: ProblemCode }
  | {
      readonly verdict: 'passed';
      readonly user: LoginRow;
      readonly passwordHash: string;
      readonly needsRehash: boolean;
      readonly hasTotp: boolean;
    };

async function proofOf(deps: Deps, user: LoginRow | null, attempt: LoginAttempt): Promise<Proof> {
  const passwordHash = user?.password_hash ?? null;
  const { isRight, needsRehash } = await inTurn(checkPassword(attempt.password, passwordHash));
  if (user === null || passwordHash === null || !isRight) return { verdict: 'failed', code: 'login_refused' };
  if (user.status !== 'active') return { verdict: 'undecided', code: 'user_suspended' };
  if ((user.merchant_status ?? 'active') !== 'active') return { verdict: 'undecided', code: 'merchant_suspended' };
  const passed = { verdict: 'passed', user, passwordHash, needsRehash } as const;
  if (user.totp_secret === null) return { ...passed, hasTotp: false };
  if (attempt.totpCode === undefined && attempt.recoveryCode === undefined)
    return { verdict: 'undecided', code: 'totp_code_required' };
  const isTaken = await takeSecondFactor(deps, user.id, user.totp_secret, attempt);
  return isTaken ? { ...passed, hasTotp: true } : { verdict: 'failed', code: 'totp_code_refused' };
}

/** Of the same code sent twice, also at once, one is taken. */
async function takeSecondFactor(
  { db, secretBox, apiKeyPepper }: Deps,
  userId: string,
  sealedSecret: string,
  { totpCode, recoveryCode, now }: LoginAttempt,
): Promise<boolean> {
  if (totpCode === undefined) return takeRecoveryCode(db, userId, recoveryCodeHash(recoveryCode ?? '', apiKeyPepper));
  const step = totpStepOf(secretBox.open(sealedSecret, userId), totpCode, now);
  return step !== null && takeTotpStep(db, userId, step);
}
