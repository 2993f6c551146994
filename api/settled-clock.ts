import { setTimeout as pause } from 'node:timers/promises';
import { findTestClock, type TestClockRow } from '../prisma/test-clocks.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import type { Caller } from './principal.ts';

const lookMinMs = 25;
const lookMaxMs = 400;

/** Whether the clock stands still and all that was due at its time is done. */
export function isSettled(clock: TestClockRow): boolean {
  return clock.status === 'ready' && clock.waiting_for.length === 0;
}

/** The clock as it is once it is settled, or when this many seconds have gone by since the request was received. */
export async function settledClock(
  deps: ApiDeps,
  caller: Caller,
  clock: TestClockRow,
  wait: { readonly receivedAt: Date; readonly seconds: number },
): Promise<TestClockRow> {
  const until = wait.receivedAt.getTime() + wait.seconds * 1000;
  let last = clock;
  for (let lookMs = lookMinMs; !isSettled(last); lookMs = Math.min(lookMaxMs, lookMs * 1.5)) {
    const leftMs = until - Date.now();
    if (leftMs <= 0) break;
    await pause(Math.min(lookMs, leftMs));
    last = await requireTestClock(deps, caller, clock.id);
  }
  return last;
}

/** The clock of this id. Throws `not_found` where this merchant has none. */
export async function requireTestClock(deps: ApiDeps, caller: Caller, clockId: string): Promise<TestClockRow> {
  const clock = await findTestClock(deps.db, caller, clockId);
  if (clock === null) throw new Problem('not_found');
  return clock;
}

/** Has the clock's workflow look at the row. Where Temporal is away the sweep starts it later: the row says what is wanted. */
export async function wakeClock(deps: ApiDeps, caller: Caller, clock: TestClockRow, requestId: string): Promise<void> {
  const refusal = await deps.testClocks.wake({ clockId: clock.id, merchantId: caller.merchantId });
  if (refusal === null) return;
  const about = { workflow_id: clock.id, request_id: requestId };
  deps.logger.warn({ err: refusal.cause, ...about }, 'a test clock was not sent to Temporal: the sweep does it');
}
