import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import proto from '@temporalio/proto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { type Answer, aPayment, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

/** The event of a payment's history from which it can begin anew. */
const firstTaskStarted = proto.temporal.api.history.v1.HistoryEvent.fromObject({ eventId: 3 }).eventId;

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world.bank.release();
  await world.bank.heal();
  if (!world.api.isRunning) await world.api.start();
});
afterAll(() => world?.close());

interface WaitingCaller {
  readonly id: string;
  readonly answer: Promise<Answer>;
}

/** A caller who waits as long as one may. */
function waitingCaller(): WaitingCaller {
  const key = randomUUID();
  const id = paymentIdOf({ merchantId: world.merchant.id, isTest: true, idempotencyKey: key });
  const headers = { prefer: 'wait=60' };
  const answer = postPayment(world.apiUrl, aPayment(), { apiKey: world.merchant.testKey, key, headers });
  answer.catch(() => undefined); // shows where it is awaited
  return { id, answer };
}

/** Its charge stands at the bank, before the commit, until the bank releases it. */
async function callerOfStandingCharge(): Promise<WaitingCaller> {
  await world.bank.park({ operation: 'charge', point: 'before_commit' });
  const caller = waitingCaller();
  await until('its charge stands at the bank', async () =>
    (await world.bank.parked()).some(({ reference }) => reference === caller.id),
  );
  return caller;
}

/** It was charged, and the bank does not say so until it is healed; Temporal keeps that somebody waits. */
async function callerInDoubt(): Promise<WaitingCaller> {
  await world.bank.inject([
    { operation: 'charge', probability: 1, times: 1, fault: 'lost_after' },
    { operation: 'lookup', probability: 1, fault: '500_before' },
  ]);
  const caller = waitingCaller();
  await until('the bank is asked again and again', async () => {
    const { raw } = await handleOf(caller.id)
      .describe()
      .catch(() => ({ raw: null }));
    return raw?.pendingActivities?.some(({ attempt }) => (attempt ?? 0) > 1);
  });
  return caller;
}

const handleOf = (id: string) => world.temporal.workflow.getHandle(id);
const runOf = async (id: string) => (await handleOf(id).describe()).runId;

async function expectAnotherRun(id: string, intervene: () => Promise<unknown>): Promise<void> {
  const run = await runOf(id);
  await intervene();
  await until('another run is at work', async () => (await runOf(id)) !== run);
}

async function expectCapturedOnce({ id, answer }: WaitingCaller): Promise<void> {
  const { status, payment } = await answer;
  expect(status).toBe(201);
  expect(payment).toMatchObject({ id, status: 'captured' });
  expect(await world.bank.movements(id)).toHaveLength(1);
}

describe('a caller who waits gets the payment’s outcome when an operator', () => {
  test('terminates the workflow while its charge stands at the bank', async () => {
    const caller = await callerOfStandingCharge();
    await expectAnotherRun(caller.id, () => handleOf(caller.id).terminate('an operator’s test'));
    await world.bank.release();
    await expectCapturedOnce(caller);
  });

  test('terminates the workflow while the bank is asked what came of the charge', async () => {
    const caller = await callerInDoubt();
    await expectAnotherRun(caller.id, () => handleOf(caller.id).terminate('an operator’s test'));
    await world.bank.heal();
    await expectCapturedOnce(caller);
  });

  test('resets the workflow while the bank is asked what came of the charge', async () => {
    const caller = await callerInDoubt();
    await expectAnotherRun(caller.id, () =>
      world.temporal.workflowService.resetWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: caller.id },
        reason: 'an operator’s test',
        workflowTaskFinishEventId: firstTaskStarted,
        requestId: randomUUID(),
      }),
    );
    await world.bank.heal();
    await expectCapturedOnce(caller);
  });
});

describe('an API that is told to stop', () => {
  test('answers who waits, and ends at once, however long its clients keep their connections', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const silent = connect(Number(new URL(world.apiUrl).port), '127.0.0.1').once('error', () => undefined);
    try {
      await until('somebody connects without a word', () => silent.readyState === 'open');
      const caller = await callerOfStandingCharge();
      expect(await healthThrough(agent)).toEqual({ status: 200, connection: 'keep-alive' });
      const stopping = world.api.stop();
      await until('it takes no new connections', () =>
        fetch(`${world.apiUrl}/health/live`, { headers: { connection: 'close' } }).then(
          () => false,
          () => true,
        ),
      );
      expect(world.api.isRunning).toBe(true);
      await world.bank.release();
      const { headers } = await caller.answer;
      const answeredAt = Date.now();
      expect(headers.get('connection')).toBe('close');
      await expectCapturedOnce(caller);
      await stopping;
      expect(Date.now() - answeredAt).toBeLessThan(5_000);
      expect(world.api.output()).toContain('api stopped');
    } finally {
      agent.destroy();
      silent.destroy();
    }
  });
});

test('after all that, the books agree', () => expectInvariants(world));

/** Asks for the API's health over the agent's one connection. */
function healthThrough(agent: Agent): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    request(`${world.apiUrl}/health/live`, { agent }, (response) => {
      response.resume().once('end', () => {
        resolve({ status: response.statusCode, connection: response.headers.connection });
      });
    })
      .once('error', reject)
      .end();
  });
}
