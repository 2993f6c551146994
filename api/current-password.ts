import { clientNetworkOf } from '../runtime/client-network.ts';
import { checkPassword } from '../runtime/password.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import { type TryOf, takeLoginTry, type Verdict } from './login-tries.ts';
import { inTurn } from './password-turns.ts';

/** Whose password it must be. */
interface Owner {
  readonly userId: string;
  readonly passwordHash: string | null;
}

/**
 * Throws `validation_failed` that names `pointer` unless it is the user's password. Whoever got hold of a session may not guess
 * it more often than a stranger at the login, from however many addresses: too many are `login_locked`. The counts are its own,
 * so that guessing here locks nobody out of the login.
 */
export async function requireCurrentPassword(
  deps: ApiDeps,
  { origin, receivedAt }: { readonly origin: string; readonly receivedAt: Date },
  { userId, passwordHash }: Owner,
  password: string,
  pointer: string,
): Promise<void> {
  const tried: TryOf = { account: `current:${userId}`, network: clientNetworkOf(origin), isFamiliar: false };
  const counted = await takeLoginTry(deps, tried, receivedAt);
  let verdict: Verdict = 'undecided';
  try {
    const { isRight } = await inTurn(checkPassword(password, passwordHash));
    verdict = isRight ? 'passed' : 'failed';
  } finally {
    await counted.settle(verdict);
  }
  if (verdict === 'failed') throw wrongPassword(pointer);
}

/** The answer to a password that is not, or no longer, the user's. */
export function wrongPassword(pointer: string): Problem {
  return new Problem('validation_failed', { errors: [{ pointer, detail: 'is not your password' }] });
}
