import { condition, continueAsNew, proxyActivities, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { advanceClock } from './policies.ts';
import { clockAsked, type TestClockWorkflowInput, type TestClockWorkflowResult } from './test-clock-contract.ts';
import type { TestClockPorts, TestClockTurn } from './test-clock-ports.ts';

/** Of one run: a history of many turns would be replayed by whoever takes it over. */
const turnsMax = 12;
/** After a turn that came no further, longer each time; whoever waits for the clock ends it. */
const restMs = 5_000;

/**
 * Advances a test clock, in turns of some seconds, until its row says that it has arrived. The row is the truth: whoever is
 * started again goes on from where the clock stands.
 */
export async function testClockWorkflow(input: TestClockWorkflowInput): Promise<TestClockWorkflowResult> {
  let isAsked = false;
  setHandler(clockAsked, () => {
    isAsked = true;
  });
  const summary = 'do what is due, instant by instant';
  const { advanceTestClock } = proxyActivities<TestClockPorts>({ ...advanceClock, summary });
  let before: TestClockTurn | null = null;
  let fruitless = 0;
  for (let turns = 0; turns < turnsMax; turns++) {
    isAsked = false;
    const turn: TestClockTurn = await advanceTestClock({ clockId: input.clockId });
    setCurrentDetails(boardOf(turn));
    if (turn.target === null && !isAsked) return { now: turn.now };
    fruitless = turn.now === before?.now ? fruitless + 1 : 0;
    before = turn;
    if (fruitless > 0) await condition(() => isAsked, restMs * fruitless);
  }
  return continueAsNew<typeof testClockWorkflow>(input);
}

function boardOf({ now, target, waitingFor }: TestClockTurn): string {
  const place =
    target === null ? `The clock stands at **${now}**.` : `The clock is at **${now}**, on its way to ${target}.`;
  return waitingFor.length === 0 ? place : `${place}\n\nWaits for ${waitingFor.join(', ')}.`;
}
