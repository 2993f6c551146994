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
