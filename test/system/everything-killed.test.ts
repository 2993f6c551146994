import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { type Answer, aPayment, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ durable: true });
});
afterAll(() => world?.close());

const tokens = [
  'tok_visa_4242',
  'tok_mastercard_5454',
  'tok_visa_declined_0002',
  'tok_amex_0005',
  'tok_visa_slow_3000',
];

/** A caller that repeats its key until it knows how its payment ended, and remembers each answer on the way. */
interface Caller {
  readonly id: string;
  readonly key: string;
  readonly body: Record<string, unknown>;
  /** `info`: no answer, or one that says neither yes nor no. */
  readonly answers: (Answer | 'info')[];
}

function aCaller(index: number): Caller {
  const key = randomUUID();
  const body = aPayment({ amount: `${index + 1}.99`, card_token: tokens[index % tokens.length] });
  const id = paymentIdOf({ merchantId: world.merchant.id, isTest: true, idempotencyKey: key });
  return { id, key, body, answers: [] };
}

const post = ({ key, body }: Caller) => postPayment(world.apiUrl, body, { key, apiKey: world.merchant.testKey });

/** One call; true when it was definite. */
async function ask(caller: Caller): Promise<boolean> {
  const answer = await post(caller).catch(() => 'info' as const);
  const isDefinite = answer !== 'info' && answer.status === 201;
  if (answer !== 'info' && ![201, 202, 503].includes(answer.status)) throw new Error(`answered ${answer.text}`);
  caller.answers.push(isDefinite ? answer : 'info');
  return isDefinite;
}

async function askUntilDefinite(caller: Caller): Promise<void> {
  await until(`${caller.id} is definite`, () => ask(caller), { everyMs: 500, withinMs: 90_000 });
}

async function countByStatus(): Promise<Map<string, number>> {
  const { rows } = await world.admin.query<{ status: string; count: number }>(
    'SELECT status, count(*)::int AS count FROM payments GROUP BY status',
  );
  return new Map(rows.map((row) => [row.status, row.count]));
}

test('everything killed at once in the middle of payments: after the start each payment ends once and all books agree', async () => {
  // A third of the answers come late, so that payments stand at the provider when the power goes.
  await world.bank.inject([{ operation: 'charge', probability: 0.3, fault: 'slow', delay_ms: 3_000 }]);
  const callers = Array.from({ length: 24 }, (_, index) => aCaller(index));
  const asking = callers.map((caller) => askUntilDefinite(caller));
  const isAnswered = ({ answers }: Caller) => answers.some((answer) => answer !== 'info');
  await until('some callers have their answer and some payments are in flight, charged and not', async () => {
    const counts = await countByStatus();
    const { length: moved } = await world.bank.movements();
    const { length: answered } = callers.filter(isAnswered);
    return answered >= 3 && (counts.get('pending') ?? 0) >= 3 && moved > (counts.get('captured') ?? 0);
  });
  const { api, worker, simulators, temporalServer, postgres } = world;
  await Promise.all([api, worker, simulators, temporalServer, postgres].map((process) => process.kill()));

  await Promise.all([postgres.start(), temporalServer.start(), simulators.start()]);
  expect((await countByStatus()).get('pending'), 'payments in flight when all was killed').toBeGreaterThan(0);
  await Promise.all([worker.start(), api.start()]);
  await Promise.all(asking);

  expect(callers.filter(({ answers }) => answers.includes('info')).length, 'calls without an answer').toBeGreaterThan(
    0,
  );
  await expectOnePaymentEach(callers);
  await expectInvariants(world);
});

/** No payment is lost or made twice, and the same key answers as it did, before and after (I1, I7). */
async function expectOnePaymentEach(callers: readonly Caller[]): Promise<void> {
  const { rows } = await world.admin.query<{ id: string }>('SELECT id FROM payments ORDER BY id');
  expect(rows.map((row) => row.id)).toEqual(callers.map((caller) => caller.id).toSorted());
  for (const caller of callers) {
    const again = await post(caller);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    const isDeclined = caller.body['card_token'] === 'tok_visa_declined_0002';
    expect(again.payment).toMatchObject({ id: caller.id, status: isDeclined ? 'failed' : 'captured' });
    for (const answer of caller.answers) if (answer !== 'info') expect(answer.payment).toEqual(again.payment);
    const other = await post({ ...caller, body: { ...caller.body, amount: '1.00' } });
    expect(other.problem).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
  }
}
