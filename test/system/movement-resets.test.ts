import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { retryNow, sweepScheduleId, getPayment as viewPayment } from '../../workflows/contract.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  cancel,
  capture,
  type MovementAnswer,
  type MovementOptions,
  refund,
} from '../support/movement-call.ts';
import {
  isBackingOff,
  reset,
  resetOpenToEachPoint,
  resetPoints,
  resetToEachPoint,
  runIdOf,
} from '../support/resets.ts';
import { type Story, storyOf } from '../support/story.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world?.bank.heal();
  await world?.bank.release();
});
afterAll(() => world?.close());

const handleOf = (id: string) => world.temporal.workflow.getHandle(id);
const ended = (id: string) => handleOf(id).result();
const act = { actor: 'operator:ann', reason: 'tried again by hand' };

async function create(changes: Record<string, unknown>): Promise<{ key: string; payment: PaymentObject }> {
  const key = randomUUID();
  const { payment } = await postPayment(world.apiUrl, aPayment(changes), { apiKey: world.merchant.testKey, key });
  return { key, payment };
}

/** Waits until the workflow of an open payment has nothing to do but to wait for this. */
async function waitsFor(id: string, what: RegExp): Promise<void> {
  await until(`${id} waits: ${what.source}`, async () => {
    const { raw } = await handleOf(id).describe();
    if (raw.pendingWorkflowTask != null) return false;
    return what.test((await handleOf(id).query(viewPayment)).doing);
  });
}

const waitsForCapture = (id: string) => waitsFor(id, /^waiting for a capture/);
const waitsForPayer = (id: string) => waitsFor(id, /^waiting for the payer/);
const waitsForRound = (id: string) => waitsFor(id, /the next round/);

/** Resets an open payment to each point; it must come to stand at the same place, with the same story. */
async function resetOpen(id: string, isThere: (id: string) => Promise<void>): Promise<number> {
  await isThere(id);
  const story = await storyOf(world, id);
  return resetOpenToEachPoint(world, id, async () => {
    await isThere(id);
    expect(await storyOf(world, id)).toEqual(story);
  });
}

const terminate = (id: string) => handleOf(id).terminate('an operator’s termination');

/** Has the sweep find what has no workflow. */
async function sweep(id: string): Promise<void> {
  await makeOlder(id);
  await world.temporal.schedule.getHandle(sweepScheduleId).trigger();
  await until(`${id} has a workflow again`, async () => (await handleOf(id).describe()).status.name !== 'TERMINATED');
}

/** The sweep leaves rows alone that are younger than 20 seconds; no program may change when a row was made. */
async function makeOlder(id: string): Promise<void> {
  const client = await world.admin.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL session_replication_role = replica');
    for (const table of ['payments', 'movements']) {
      await client.query(`UPDATE ${table} SET created_at = created_at - interval '1 minute' WHERE id = $1`, [id]);
    }
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

/** The events of a payment and its movements, as they stand in a story, from their types. */
const numbered = (...objects: string[][]) =>
  objects.flatMap((types) => types.map((type, index) => `${index + 1} ${type}`));

describe('a payment that is captured in two parts, and the rest voided,', () => {
  const story: Story = {
    payment: 'captured 2599 1500 1099 0',
    movements: ['capture succeeded 1000', 'capture succeeded 500', 'void succeeded 1099'],
    events: numbered(
      ['payment.pending', 'payment.authorized', 'payment.captured', 'payment.captured', 'payment.captured'],
      ['capture.pending', 'capture.succeeded'],
      ['capture.pending', 'capture.succeeded'],
      ['void.pending', 'void.succeeded'],
    ),
    attempts: expect.arrayContaining(['charge 1 approved 1', 'capture 1 approved 1', 'void 1 approved 1']),
    booked: ['authorize 2599', 'capture 1000', 'capture 500', 'void 1099'],
    postings: ['receivable.easypay 1000', 'merchant -1000', 'receivable.easypay 500', 'merchant -500'],
  };

  test('is the same after a reset to any of its workflow tasks, while it is open and when it is done', async () => {
    const { id } = await anAuthorizedPayment(world);
    expect(await resetOpen(id, waitsForCapture)).toBeGreaterThanOrEqual(2);
    expect((await capture(world, id, '10.00')).status).toBe(201);
    expect(await resetOpen(id, waitsForCapture)).toBeGreaterThanOrEqual(3);
    expect((await capture(world, id, '5.00')).status).toBe(201);
    expect(await resetOpen(id, waitsForCapture)).toBeGreaterThanOrEqual(4);
    expect((await cancel(world, id)).status).toBe(200);
    expect(await resetToEachPoint(world, id, () => storyOf(world, id))).toBeGreaterThanOrEqual(2);
    expect(await storyOf(world, id)).toEqual(story);
    await expectInvariants(world);
  });

  test('is the same after a termination and the sweep between any two of its steps', async () => {
    const { id } = await anAuthorizedPayment(world);
    const steps = [() => capture(world, id, '10.00'), () => capture(world, id, '5.00'), () => cancel(world, id)];
    for (const step of steps) {
      await waitsForCapture(id);
      await terminate(id);
      await sweep(id);
      expect((await step()).status).toBeLessThan(300);
    }
    await ended(id);
    expect(await storyOf(world, id)).toEqual(story);
    await expectInvariants(world);
  });

  test('is the same where each step finds the workflow terminated, and brings it back by itself', async () => {
    const { id } = await anAuthorizedPayment(world);
    const key = randomUUID();
    const steps = [
      () => capture(world, id, '10.00', { key }),
      () => capture(world, id, '5.00'),
      () => cancel(world, id),
    ];
    for (const step of steps) {
      await waitsForCapture(id);
      await terminate(id);
      expect((await step()).status).toBeLessThan(300);
    }
    await ended(id);
    const repeated = await capture(world, id, '10.00', { key });
    expect([repeated.status, repeated.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(await storyOf(world, id)).toEqual(story);
    await expectInvariants(world);
  });
});

/** A movement of all that there is, whose answer was lost, while the provider does not say what came of it. */
interface InDoubt {
  readonly paymentId: string;
  readonly workflowId: string;
  /** Asks for the same again. */
  readonly again: () => Promise<MovementAnswer<unknown>>;
}

/** Moves all that there is. */
function move(kind: MovementKind, paymentId: string, options: MovementOptions): Promise<MovementAnswer<unknown>> {
  if (kind === 'void') return cancel(world, paymentId, options);
  return (kind === 'capture' ? capture : refund)(world, paymentId, undefined, options);
}

async function inDoubt(kind: MovementKind): Promise<InDoubt> {
  const { id: paymentId } = await (kind === 'refund' ? aCapturedPayment(world) : anAuthorizedPayment(world));
  await world.bank.inject([
    { operation: kind, probability: 1, times: 1, fault: 'lost_after' },
    { operation: 'lookup', probability: 1, fault: '503' },
  ]);
  const key = randomUUID();
  const ask = (options: MovementOptions = {}) => move(kind, paymentId, { key, ...options });
  expect((await ask({ prefer: 'respond-async' })).status).toBe(202);
  const workflowId = kind === 'refund' ? movementIdOf(kind, paymentId, key) : paymentId;
  await isBackingOff(world, workflowId);
  return { paymentId, workflowId, again: () => ask() };
}

const inFull: Readonly<Record<MovementKind, Story>> = {
  capture: {
    payment: 'captured 2599 2599 0 0',
    movements: ['capture succeeded 2599'],
    events: numbered(
      ['payment.pending', 'payment.authorized', 'payment.captured'],
      ['capture.pending', 'capture.succeeded'],
    ),
    attempts: ['charge 1 approved 1', 'capture 1 approved 1'],
    booked: ['authorize 2599', 'capture 2599'],
    postings: ['receivable.easypay 2599', 'merchant -2599'],
  },
  void: {
    payment: 'canceled 2599 0 2599 0',
    movements: ['void succeeded 2599'],
    events: numbered(['payment.pending', 'payment.authorized', 'payment.canceled'], ['void.pending', 'void.succeeded']),
    attempts: ['charge 1 approved 1', 'void 1 approved 1'],
    booked: ['authorize 2599', 'void 2599'],
    postings: [],
  },
  refund: {
    payment: 'refunded 2599 2599 0 2599',
    movements: ['refund succeeded 2599'],
    events: numbered(
      ['payment.pending', 'payment.captured', 'payment.refunded'],
      ['refund.pending', 'refund.succeeded'],
    ),
    attempts: ['charge 1 approved 1', 'refund 1 approved 1'],
    booked: ['charge 2599', 'refund 2599'],
    postings: [
      'receivable.easypay 2599',
      'merchant -2599',
      'merchant 2599',
      'refunds -2599',
      'refunds 2599',
      'receivable.easypay -2599',
    ],
  },
};

const kinds: MovementKind[] = ['capture', 'void', 'refund'];

describe('in doubt, with look-ups that fail at first, money moves once', () => {
  test.each(kinds)('by a %s that is reset to any of its workflow tasks, before and after it is known', async (kind) => {
    const { paymentId, workflowId } = await inDoubt(kind);
    await handleOf(workflowId).executeUpdate(retryNow, { args: [act] });
    await isBackingOff(world, workflowId);
    const story = await storyOf(world, paymentId);
    const resets = await resetOpenToEachPoint(world, workflowId, async () => {
      await isBackingOff(world, workflowId);
      expect(await storyOf(world, paymentId)).toEqual(story);
    });
    expect(resets).toBeGreaterThanOrEqual(3);
    await world.bank.heal();
    expect(await resetToEachPoint(world, workflowId, () => storyOf(world, paymentId))).toBeGreaterThanOrEqual(2);
    expect(await storyOf(world, paymentId)).toEqual(inFull[kind]);
    await expectInvariants(world);
  });

  test.each(kinds)('by a %s that is terminated, and found by the sweep', async (kind) => {
    const { paymentId, workflowId } = await inDoubt(kind);
    await terminate(workflowId);
    await world.bank.heal();
    await sweep(workflowId);
    await ended(workflowId);
    expect(await storyOf(world, paymentId)).toEqual(inFull[kind]);
    await expectInvariants(world);
  });

  test.each(kinds)('by a %s that is terminated, and asked for again', async (kind) => {
    const { paymentId, workflowId, again } = await inDoubt(kind);
    await terminate(workflowId);
    await world.bank.heal();
    expect((await again()).status).toBe(kind === 'void' ? 200 : 201);
    expect(await storyOf(world, paymentId)).toEqual(inFull[kind]);
    await ended(workflowId);
    await expectInvariants(world);
  });
});

test.each(kinds)('a %s that is reset again and again while it stands at the bank moves money once', async (kind) => {
  const { id: paymentId } = await (kind === 'refund' ? aCapturedPayment(world) : anAuthorizedPayment(world));
  await world.bank.park({ operation: kind, point: 'before_commit' });
  const key = randomUUID();
  const options = { key, prefer: 'respond-async' };
  expect((await move(kind, paymentId, options)).status).toBe(202);
  await until('it is parked', async () => (await world.bank.parked()).length > 0);
  const workflowId = kind === 'refund' ? movementIdOf(kind, paymentId, key) : paymentId;
  const runId = await runIdOf(world, workflowId);
  for (const point of await resetPoints(world, workflowId, runId)) await reset(world, workflowId, runId, point);
  await world.bank.release();
  await ended(workflowId);
  // One try came back from each run that was reset away: how often it was sent says nothing.
  expect(await storyOf(world, paymentId)).toEqual({ ...inFull[kind], attempts: expect.any(Array) });
  await expectInvariants(world);
});

test('refunds side by side are the same after resets of each to any of its workflow tasks', async () => {
  const { id } = await aCapturedPayment(world);
  const keys = [randomUUID(), randomUUID()];
  const [first = '', second = ''] = keys.map((key) => movementIdOf('refund', id, key));
  await Promise.all(keys.map((key) => refund(world, id, '10.00', { key })));
  await Promise.all([first, second].map(ended));
  for (const refundId of [first, second]) {
    expect(await resetToEachPoint(world, refundId, () => storyOf(world, id))).toBeGreaterThanOrEqual(1);
  }
  const { payment, movements, booked } = await storyOf(world, id);
  expect(payment).toBe('partially_refunded 2599 2599 0 2000');
  expect(movements).toEqual(['refund succeeded 1000', 'refund succeeded 1000']);
  expect(booked).toEqual(['charge 2599', 'refund 1000', 'refund 1000']);
  await expectInvariants(world);
});

describe('a payment that its payer must confirm is the same,', () => {
  const story: Story = {
    payment: 'captured 2599 2599 0 0',
    movements: [],
    events: numbered(['payment.pending', 'payment.requires_action', 'payment.captured']),
    attempts: ['charge 1 approved 1'],
    booked: ['charge 2599'],
    postings: ['receivable.easypay 2599', 'merchant -2599'],
  };

  async function aPaymentToConfirm(): Promise<PaymentObject> {
    const { payment } = await create({ card_token: 'tok_visa_challenge_3220' });
    expect(payment.status).toBe('requires_action');
    return payment;
  }

  /** The payer approves, and the provider's event about it is done with. */
  async function approve({ id, next_action: action }: PaymentObject): Promise<void> {
    const body = new URLSearchParams({ outcome: 'approve' });
    const response = await fetch(action?.redirect_url ?? '', { method: 'POST', body, redirect: 'manual' });
    expect(response.status).toBeLessThan(400);
    await until('the provider’s event is done with', async () => {
      const { rows } = await world.admin.query<{ status: string }>('SELECT status FROM webhooks WHERE reference = $1', [
        id,
      ]);
      return rows.length > 0 && rows.every(({ status }) => status === 'processed');
    });
    await ended(id);
  }

  test('after a reset to any of its workflow tasks, before the payer acts and after', async () => {
    const payment = await aPaymentToConfirm();
    expect(await resetOpen(payment.id, waitsForPayer)).toBeGreaterThanOrEqual(2);
    await approve(payment);
    expect(await resetToEachPoint(world, payment.id, () => storyOf(world, payment.id))).toBeGreaterThanOrEqual(2);
    expect(await storyOf(world, payment.id)).toEqual(story);
    await expectInvariants(world);
  });

  test('after a termination, and the payer acting then', async () => {
    const payment = await aPaymentToConfirm();
    await waitsForPayer(payment.id);
    await terminate(payment.id);
    await approve(payment);
    expect(await storyOf(world, payment.id)).toEqual(story);
    await expectInvariants(world);
  });

  test('after a termination, the sweep, and the payer acting then', async () => {
    const payment = await aPaymentToConfirm();
    await waitsForPayer(payment.id);
    await terminate(payment.id);
    await sweep(payment.id);
    await waitsForPayer(payment.id);
    await approve(payment);
    expect(await storyOf(world, payment.id)).toEqual(story);
    await expectInvariants(world);
  });
});

describe('a payment that is tried again later is the same,', () => {
  const story: Story = {
    payment: 'captured 2599 2599 0 0',
    movements: [],
    events: numbered(['payment.pending', 'payment.retry_scheduled', 'payment.captured']),
    attempts: ['charge 1 declined 1', 'charge 2 approved 1'],
    booked: ['charge 2599'],
    postings: ['receivable.easypay 2599', 'merchant -2599'],
  };
  const later = (seconds: number) => ({
    card_token: 'tok_visa_later_9996',
    retry: { schedule: [seconds], attempts_max: 2 },
  });

  test('after a reset to any of its workflow tasks, before its second round and after', async () => {
    const { id } = (await create(later(600))).payment;
    expect(await resetOpen(id, waitsForRound)).toBeGreaterThanOrEqual(1);
    await handleOf(id).executeUpdate(retryNow, { args: [act] });
    expect(await resetToEachPoint(world, id, () => storyOf(world, id))).toBeGreaterThanOrEqual(2);
    expect(await storyOf(world, id)).toEqual(story);
    await expectInvariants(world);
  });

  test('after a termination, which its merchant does not see, and the sweep', async () => {
    const body = later(5);
    const { key, payment } = await create(body);
    const { id } = payment;
    await waitsForRound(id);
    await terminate(id);
    const repeated = await postPayment(world.apiUrl, aPayment(body), { apiKey: world.merchant.testKey, key });
    expect(repeated.payment).toEqual(payment);
    await sweep(id);
    await ended(id);
    expect(await storyOf(world, id)).toEqual(story);
    await expectInvariants(world);
  });
});
