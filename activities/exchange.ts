/**
 * All exchanges of a try, for the first, local one: below the local activity's own time-out. Where a slow database before it
 * uses that up, nothing is sent, and the next try has all its time.
 */
export const firstTryTimeoutMs = 4_000;
export const laterTryTimeoutMs = 10_000;
/** With less time than this for an answer, a request that moves money would only make a doubt. */
export const chargeTimeMinMs = 1_500;
/** Until the next try, which has all its time. */
export const outOfTimeRetryMs = 100;

/** A request that is not on its way after this time is never sent. */
const sendWithinMs = 3_000;

/** The time that one candidate has for all its exchanges of a try. */
export interface Exchange {
  /** At least a moment: a call that is out of time ends by its own time-out. */
  timeLeftMs(): number;
  /**
   * The deadline of the next request, for its row, and the question whether it has not passed. It believes whichever of two
   * clocks ran further, so that neither a clock set back nor a paused machine makes it generous.
   */
  nextSend(): { readonly sendWithinMs: number; readonly mayStillSend: () => boolean };
}

/** Starts the time. */
export function exchangeWithin(timeoutMs: number): Exchange {
  const elapsed = stopwatch();
  return {
    timeLeftMs: () => Math.max(50, timeoutMs - elapsed()),
    nextSend() {
      const sinceNow = stopwatch();
      return { sendWithinMs, mayStillSend: () => sinceNow() < sendWithinMs };
    },
  };
}

function stopwatch(): () => number {
  const wall = Date.now();
  const monotonic = performance.now();
  return () => Math.max(Date.now() - wall, performance.now() - monotonic);
}
