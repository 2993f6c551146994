import { isDeepStrictEqual } from 'node:util';
import { HttpError } from '../http.ts';

/** What a key stands for when a request comes with it. */
export type KeyStanding<Result> =
  | { readonly kind: 'new' }
  | { readonly kind: 'stored'; readonly result: Result }
  | { readonly kind: 'reused' }
  | { readonly kind: 'in_progress' };

interface Kept<Request, Result> {
  readonly request: Request;
  readonly result: Result;
  readonly atMs: number;
}

/** The idempotency keys of one kind of call, with what each was first used for. Keys in progress are in memory only;
 * the rest is as durable as what `keep` is fed from. */
export class Keys<Request, Result> {
  private readonly windowMs: number;
  private readonly kept = new Map<string, Kept<Request, Result>>();
  private readonly inProgress = new Map<string, Request>();

  /** Keys are honored for `windowMs` from their first use. */
  constructor(windowMs = Number.POSITIVE_INFINITY) {
    this.windowMs = windowMs;
  }

  /** Takes in what came of a key, at first or anew. */
  keep(key: string, request: Request, result: Result, at: string): void {
    this.kept.set(key, { request, result, atMs: Date.parse(at) });
  }

  /** What the key stands for, for this request. */
  standingOf(key: string, request: Request): KeyStanding<Result> {
    const kept = this.honored(key);
    const earlier = this.inProgress.get(key) ?? kept?.request;
    if (earlier === undefined) return { kind: 'new' };
    if (!isDeepStrictEqual(earlier, request)) return { kind: 'reused' };
    if (this.inProgress.has(key) || kept === undefined) return { kind: 'in_progress' };
    return { kind: 'stored', result: kept.result };
  }

  /** Whether a request like this is being worked on, under whatever key. */
  isWorkedOn(request: Request): boolean {
    return [...this.inProgress.values()].some((one) => isDeepStrictEqual(one, request));
  }

  /** Holds the key while the work runs, also past its commit until it ends. */
  async whileReserved(key: string, request: Request, work: () => Promise<void>): Promise<void> {
    this.inProgress.set(key, request);
    try {
      await work();
    } finally {
      this.inProgress.delete(key);
    }
  }

  private honored(key: string): Kept<Request, Result> | undefined {
    const kept = this.kept.get(key);
    return kept !== undefined && Date.now() - kept.atMs < this.windowMs ? kept : undefined;
  }
}

/** The refusal of a key that stands for another request. */
export const keyReused = new HttpError(
  409,
  'idempotency_key_reused',
  'This idempotency key came with another body before',
);
/** The refusal of a key whose first call is not over. */
export const requestInProgress = new HttpError(
  409,
  'request_in_progress',
  'The first call with this idempotency key is still being worked on',
);
