import type { Client } from '@temporalio/client';
import {
  clockAsked,
  type TestClockWorkflowInput,
  testClockStartOptions,
  testClockWorkflowType,
} from '../../workflows/test-clock-contract.ts';
import { isNoAnswer, isServerRefusal, type NotTaken } from './answers.ts';

/** How the API talks to the workflows of test clocks. */
export interface TestClockClient {
  /** Has the clock's workflow look at its row, and starts it where none is open. Null unless Temporal did not take it in time. */
  wake(clock: TestClockWorkflowInput): Promise<NotTaken | null>;
}

const timeoutMs = 2_000;

/** Wraps a Temporal client. */
export function createTestClockClient({ connection, workflow }: Client): TestClockClient {
  return {
    async wake(clock) {
      const args: [TestClockWorkflowInput] = [clock];
      const signal = { signal: clockAsked, signalArgs: [] as [] };
      try {
        await connection.withDeadline(Date.now() + timeoutMs, () =>
          workflow.signalWithStart(testClockWorkflowType, { ...testClockStartOptions(clock), args, ...signal }),
        );
        return null;
      } catch (cause) {
        if (!isServerRefusal(cause) && !isNoAnswer(cause)) throw cause;
        return { kind: 'not_taken', cause };
      }
    },
  };
}
