import { setTimeout as delay } from 'node:timers/promises';

/** What waiting work belongs to. Work that still waits when `stopping` fires ends there, as in a crash. */
export interface Owner {
  readonly stopping: AbortSignal;
  readonly warn: (message: string) => void;
}

/** Waits. Throws when the process stops meanwhile. */
export async function pause({ stopping }: Owner, ms: number): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal: stopping });
}

/** Does the work after a time, for nobody who waits; a failure is warned of. */
export function doLater(owner: Owner, afterMs: number, work: () => Promise<void>): void {
  pause(owner, afterMs)
    .then(work)
    .catch((error: unknown) => {
      if (!owner.stopping.aborted) owner.warn(`Work that was due later failed: ${String(error)}`);
    });
}

/** How much of a time is left that began at an instant (ISO 8601): between nothing and all of it, also when the clock
 * was set meanwhile. */
export function remainingMs(since: string, ms: number): number {
  return Math.min(Math.max(0, ms - (Date.now() - Date.parse(since))), ms);
}
