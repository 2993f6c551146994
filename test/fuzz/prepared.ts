import { randomUUID } from 'node:crypto';
import { openDiscrepancy } from '../../prisma/discrepancies.ts';
import { callApi } from '../support/api-call.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import type { FaultRule } from '../support/bank.ts';
import { paymentFile, postBatch } from '../support/batch-call.ts';
import { capture, refund } from '../support/movement-call.ts';
import type { World } from '../support/world.ts';
import type { PathValues } from './ground.ts';

/** What operations need that act on what went before: all of one merchant, in test mode. */
export interface Prepared {
  /** What goes into a path, by the path. */
  readonly values: ReadonlyMap<string, readonly PathValues[]>;
  readonly paymentIds: readonly string[];
  readonly refundIds: readonly string[];
  readonly captureIds: readonly string[];
  /** Of a plan that can be subscribed to. */
  readonly planId: string;
}

/** So much that small parts of it can be captured or paid back again and again. */
const amount = '9000.00';
/** A good request uses one up: enough for some of a run's. */
const spareCount = 4;
/** A refund without an amount pays all of it back, and every second one has none. */
const refundableCount = 10;
const card = { type: 'credit_card', card_token: 'tok_visa_4242' };
const declinedCard = { ...card, card_token: 'tok_visa_insufficient_9995' };
const patient = { prefer: 'wait=30' } as const;

/** Makes payments, refunds and discrepancies in every state that an operation asks for. Throws where one comes out otherwise. */
export async function prepare(world: World, apiKey: string): Promise<Prepared> {
  const maker = makerOf(world, apiKey);
  const unresolved = await maker.doubtful('charge', () => maker.pay('unresolved'));
  const [captured, reserved, forCancel, partly] = await Promise.all([
    several(() => maker.pay('captured', { return_url: 'https://shop.test/thanks?order=1' }), refundableCount),
    several(() => maker.pay('authorized', { capture: 'manual' })),
    several(() => maker.pay('authorized', { capture: 'manual' })),
    maker.pay('authorized', { capture: 'manual' }),
  ]);
  const [refundable = '', another = ''] = captured;
  const doubtful = await maker.doubtful('refund', () => maker.refund(refundable, 'unresolved'));
  const [refunds, captureIds] = await Promise.all([
    several(() => maker.refund(another, 'succeeded')),
    maker.captures(partly),
  ]);
  const planId = await maker.plan();
  const [paused, owing] = await Promise.all([
    several(() => maker.subscription('paused', { plan_id: planId, trial_days: 14 })),
    several(() => maker.subscription('past_due', { plan_id: planId, payment_method: declinedCard })),
  ]);
  const steered = [await maker.pausedBatch()];
  const [resumed, canceled] = [[await maker.pausedBatch()], [await maker.pausedBatch()]];
  const payments = [...captured, ...reserved, ...forCancel, partly];
  const values = {
    '/api/v1/payments/{id}/capture': idsIn([...reserved, partly]),
    '/api/v1/payments/{id}/cancel': idsIn([...forCancel, refundable]),
    '/api/v1/payments/{id}/refund': idsIn([...captured, partly, partly, partly]),
    '/api/v1/payments/{id}/resolve': idsIn(unresolved),
    '/api/v1/payments/{id}/return/{token}': await linksOf(world, [refundable, another, ...reserved]),
    '/api/v1/refunds/{id}': idsIn([...refunds, ...doubtful]),
    '/api/v1/refunds/{id}/resolve': idsIn(doubtful),
    '/api/v1/discrepancies/{id}/close': idsIn(await contradict(world, another)),
    '/api/v1/batches/{id}': idsIn(steered),
    '/api/v1/batches/{id}/result': idsIn(steered),
    '/api/v1/batches/{id}/pause': idsIn(steered),
    '/api/v1/batches/{id}/resume': idsIn(resumed),
    '/api/v1/batches/{id}/cancel': idsIn(canceled),
    '/api/v1/subscriptions/{id}/resume': idsIn(paused),
    '/api/v1/subscriptions/{id}/retry': idsIn(owing),
    '/api/v1/webhooks/{provider}/{account_id}': [{ provider: 'easypay', account_id: 'main' }],
  };
  return { values: new Map(Object.entries(values)), paymentIds: payments, refundIds: refunds, captureIds, planId };
}

/** What somebody else has behind `/api/v1/refunds`, which no request of ours may show or change. */
export async function aRefundOf(world: World, apiKey: string): Promise<PathValues[]> {
  const maker = makerOf(world, apiKey);
  return idsIn([await maker.refund(await maker.pay('captured'), 'succeeded')]);
}

function makerOf(world: World, apiKey: string) {
  const asIntended = (what: string, id: string, found: string, status: string) => {
    if (found !== status) throw new Error(`${what} ${id} should have become ${status}, and is ${found}`);
    return id;
  };
  async function posted(path: string, body: unknown): Promise<{ id: string; status: string }> {
    const sent = { method: 'POST', path, body, headers: patient };
    return (await callApi<{ data: { id: string; status: string } }>(world.apiUrl, apiKey, sent)).body.data;
  }
  return {
    async pay(status: string, changes: Record<string, unknown> = {}): Promise<string> {
      const body = aPayment({ amount, ...changes });
      const { payment } = await postPayment(world.apiUrl, body, { apiKey, headers: patient });
      return asIntended('the payment', payment.id, payment.status, status);
    },
    async refund(paymentId: string, status: string): Promise<string> {
      const { data } = await refund(world, paymentId, '1.00', { apiKey, ...patient });
      return asIntended('the refund', data.id, data.status, status);
    },
    async plan(): Promise<string> {
      const body = { name: 'Tea', amount: '25.99', currency: 'USD', interval: { unit: 'month' } };
      return (await posted('/api/v1/plans', body)).id;
    },
    async subscription(status: string, changes: Record<string, unknown>): Promise<string> {
      const body = { customer_id: 'customer-1', payment_method: card, ...changes };
      const made = await posted('/api/v1/subscriptions', body);
      const found = status === 'paused' ? await posted(`/api/v1/subscriptions/${made.id}/pause`, {}) : made;
      return asIntended('the subscription', made.id, found.status, status);
    },
    /** One with rows that wait for a resume; a merchant has few at a time, and the requests want to make some too. */
    async pausedBatch(): Promise<string> {
      const query = { reference: randomUUID(), rate_per_second: '1' };
      const { data } = (await postBatch(world.apiUrl, apiKey, paymentFile(3), { query })).body;
      return (await posted(`/api/v1/batches/${data.id}/pause`, {})).id;
    },
    /** Captures twice; the ids of both. */
    async captures(paymentId: string): Promise<string[]> {
      await capture(world, paymentId, '100.00', { apiKey, ...patient });
      const { data } = await capture(world, paymentId, '100.00', { apiKey, ...patient });
      return (data.captures ?? []).map(({ id }) => id);
    },
    /** Some that the provider reports with another amount: nobody knows what became of them. */
    async doubtful(operation: FaultRule['operation'], make: () => Promise<string>): Promise<string[]> {
      await world.bank.inject([{ operation, probability: 1, times: spareCount, fault: 'wrong_amount' }]);
      const ids = await several(make);
      await world.bank.heal();
      return ids;
    },
  };
}

function several(make: () => Promise<string>, count = spareCount): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, make));
}

const idsIn = (ids: readonly string[]): PathValues[] => ids.map((id) => ({ id }));

/** The links by which payers of these payments come back; only providers are told them. */
async function linksOf({ admin }: World, paymentIds: readonly string[]): Promise<PathValues[]> {
  const { rows } = await admin.query<{ id: string; token: string }>(
    'SELECT id, return_token::text AS token FROM payments WHERE id = ANY ($1)',
    [paymentIds],
  );
  return rows.map(({ id, token }) => ({ id, token }));
}

/** Writes what a provider's late words would open about a payment that is captured; the ids. */
async function contradict({ admin, db }: World, paymentId: string): Promise<string[]> {
  const { rows } = await admin.query<{ id: string; merchantId: string }>(
    `SELECT id, merchant_id AS "merchantId" FROM attempts WHERE payment_id = $1 AND operation = 'charge'`,
    [paymentId],
  );
  const [attempt] = rows;
  if (attempt === undefined) throw new Error(`the payment ${paymentId} has no charge to contradict`);
  for (const [index, reported] of ['declined', 'pending', 'voided'].entries()) {
    await openDiscrepancy(db, {
      merchantId: attempt.merchantId,
      isTest: true,
      paymentId,
      objectId: paymentId,
      attemptId: attempt.id,
      provider: 'easypay',
      recorded: 'approved',
      reported,
      amountMinor: '900000',
      currency: 'USD',
      now: new Date(Date.now() + index).toISOString(),
    });
  }
  const made = await admin.query<{ id: string }>('SELECT id FROM discrepancies WHERE payment_id = $1', [paymentId]);
  return made.rows.map(({ id }) => id);
}
