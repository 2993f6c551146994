import { type FailureBudget, forgetFailures, giveTryBack, lockWhenFull, takeTry } from '../prisma/login-throttles.ts';
import { hashSecret } from '../runtime/api-key.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';

const minuteMs = 60_000;
/** So often an account may fail from one address; then the two of them are locked for as long. */
const ofPair = { failuresMax: 5, windowMs: 15 * minuteMs };
/** So often an address may fail, whatever accounts it tries that are not known there. */
const ofAddress = { failuresMax: 50, windowMs: 60 * minuteMs };
/** So often an account may fail from all addresses that it is not known at. An address that it is known at does not wait. */
const ofAccount = { failuresMax: 30, windowMs: 60 * minuteMs };

/** What a password is tried for, and from where. */
export interface TryOf {
  /** The user's id, or what was given for one that is not there: both are counted alike. */
  readonly account: string;
  /** As `clientNetworkOf` names it. */
  readonly network: string;
  readonly isFamiliar: boolean;
}

/** `undecided`: nothing was wrong, but it is no login either. */
export type Verdict = 'passed' | 'failed' | 'undecided';

/** A try that is counted already; it must be told how it ended. */
export interface LoginTry {
  settle(verdict: Verdict): Promise<void>;
}

/**
 * Counts a try before any work is spent on it. Throws `login_locked` for one too many. Nobody locks others out from elsewhere:
 * an account goes on at the addresses that it is known at, whatever others do, there to other accounts and elsewhere to it.
 */
export async function takeLoginTry(
  { db, apiKeyPepper }: Pick<ApiDeps, 'db' | 'apiKeyPepper'>,
  { account, network, isFamiliar }: TryOf,
  now: Date,
): Promise<LoginTry> {
  const keyOf = (...parts: string[]) => hashSecret(JSON.stringify(['login', ...parts]), apiKeyPepper);
  const pair: FailureBudget = { key: keyOf('pair', account, network), ...ofPair };
  const others: FailureBudget[] = isFamiliar
    ? []
    : [
        { key: keyOf('address', network), ...ofAddress },
        { key: keyOf('account', account), ...ofAccount },
      ];
  const othersKeys = others.map(({ key }) => key);
  const refusedUntil = await takeTry(db, [pair, ...others], now);
  if (refusedUntil !== null) throw locked(refusedUntil, now);
  return {
    async settle(verdict) {
      if (verdict === 'failed') return lockWhenFull(db, pair, now);
      if (verdict === 'undecided') return giveTryBack(db, [pair.key, ...othersKeys]);
      await forgetFailures(db, pair.key);
      await giveTryBack(db, othersKeys);
    },
  };
}

function locked(until: Date, now: Date): Problem {
  const seconds = Math.max(1, Math.ceil((until.getTime() - now.getTime()) / 1_000));
  return new Problem('login_locked', { headers: { 'Retry-After': String(seconds) } });
}
