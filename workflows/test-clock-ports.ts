import type { SweepTally } from './ports.ts';

/** What workflows of test clocks ask of the world. */
export interface TestClockPorts {
  /**
   * Works on a clock's advance for some seconds: sets it to the next instant at which something is due for a subscription of
   * its, wakes those, waits until they are done, and so on, to its target. May be done again from any point.
   */
  advanceTestClock(input: { readonly clockId: string }): Promise<TestClockTurn>;
}

/** What the scheduled sweep asks of the world for test clocks. */
export interface TestClockSweepPorts {
  /** Starts a workflow for every clock that is being advanced and has none. */
  resumeTestClocks(input: { readonly ageMinSeconds: number }): Promise<SweepTally>;
}

/** How far an advance is. Instants are ISO 8601. */
export interface TestClockTurn {
  readonly now: string;
  /** Null: it has arrived. */
  readonly target: string | null;
  /** Ids of subscriptions that are not done with what is due now, a few at most. */
  readonly waitingFor: readonly string[];
}
