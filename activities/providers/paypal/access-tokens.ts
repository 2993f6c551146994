import { type ProviderCall, ProviderFault } from '../provider.ts';
import type { GivenToken } from './answers.ts';

/** A token is replaced so long before its end, so that none ends on its way. */
const renewBeforeMs = 60_000;

/** The access token that calls share. */
export interface AccessTokens {
  /**
   * A token, and whether it is new: fetched for this call, or for another one that this one waited with. Throws a
   * `ProviderFault`, `unavailable` also when none comes within the call's time.
   */
  get(call: ProviderCall): Promise<{ readonly value: string; readonly isNew: boolean }>;
  /** Forgets a token that was refused, unless it has been replaced already. */
  drop(value: string): void;
}

/**
 * A fetch, made for the call that needs it first. It is not told that call's time: others wait with it who have more, so
 * it has a time-out of its own.
 */
export type FetchToken = (call: Omit<ProviderCall, 'timeoutMs' | 'mayStillSend'>) => Promise<GivenToken>;

/** Keeps what `fetch` gave for as long as it is good. However many calls need a token, one fetch is under way. */
export function createAccessTokens(fetch: FetchToken, now = Date.now): AccessTokens {
  let kept: { readonly value: string; readonly renewAt: number } | null = null;
  let fetching: Promise<string> | null = null;

  async function renew(call: ProviderCall): Promise<string> {
    try {
      const { value, goodForSeconds } = await fetch(call);
      kept = { value, renewAt: now() + goodForSeconds * 1000 - renewBeforeMs };
      return value;
    } finally {
      fetching = null;
    }
  }

  return {
    async get(call) {
      if (kept !== null && now() < kept.renewAt) return { value: kept.value, isNew: false };
      fetching ??= renew(call);
      return { value: await inTime(fetching, call.timeoutMs), isNew: true };
    },
    drop(value) {
      if (kept?.value === value) kept = null;
    },
  };
}

/** The fetch goes on, for the others and for those who come next. */
async function inTime(work: Promise<string>, timeoutMs: number): Promise<string> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const fault = () => reject(new ProviderFault('unavailable', 'no access token came in time: nothing was sent'));
  const timer = setTimeout(fault, timeoutMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
