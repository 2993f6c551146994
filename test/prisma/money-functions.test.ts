import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sqlStateOf } from '../../prisma/database.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { type PaymentAmounts, projectedStatus } from '../../workflows/domain/payment-status.ts';
import { feeOf } from '../../workflows/domain/terms.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { someTerms } from '../support/payment-request.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

let database: TestDatabase;
let paymentId: string;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
  paymentId = await insertPendingPayment(database);
});
afterAll(() => database?.close());

const int64Max = 2n ** 63n - 1n;
/** Minor units of any size, often at one of the ends. */
const anAmount = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n }),
  fc.bigInt({ min: 0n, max: 1_000_000n }),
  fc.bigInt({ min: 0n, max: int64Max }),
  fc.bigInt({ min: int64Max - 10n, max: int64Max }),
);
// A failing comparison is repeated with the seed that its message names.
const sampleOf = <T>(values: fc.Arbitrary<T>, seed: number): T[] => fc.sample(values, { numRuns: 2_000, seed });
const aSeed = () => Math.floor(Math.random() * 2 ** 31);

/** Amounts of a payment that the database would store. */
const someAmounts: fc.Arbitrary<PaymentAmounts> = fc
  .tuple(anAmount, anAmount, anAmount, anAmount)
  .map(([authorized, one, two, three]) => {
    const captured = authorized === 0n ? 0n : one % (authorized + 1n);
    return {
      authorized,
      captured,
      voided: two % (authorized - captured + 1n),
      refunded: three % (captured + 1n),
    };
  });

describe('a function that the database and the domain both have', () => {
  test('projected_status: the same word for 2000 random payments and for every small one', async () => {
    const seed = aSeed();
    const small = [0n, 1n, 2n, 3n];
    const all = small.flatMap((authorized) =>
      small.flatMap((captured) =>
        small.flatMap((voided) => small.map((refunded) => ({ authorized, captured, voided, refunded }))),
      ),
    );
    const valid = all.filter((one) => one.captured + one.voided <= one.authorized && one.refunded <= one.captured);
    const amounts = [...valid, ...sampleOf(someAmounts, seed)];
    const columns = (['authorized', 'captured', 'voided', 'refunded'] as const).map((name) =>
      amounts.map((one) => one[name].toString()),
    );
    const { rows } = await database.db.pool.query<{ status: string }>(
      `SELECT projected_status(a, c, v, r) AS status
       FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS t (a, c, v, r)`,
      columns,
    );
    expect(rows, `seed ${seed}`).toEqual(amounts.map((one) => ({ status: projectedStatus(one) })));
    expect(new Set(rows.map(({ status }) => status)).size).toBe(5);
  });

  test('payment_fee: the same for 2000 random amounts and terms, up to the largest', async () => {
    const seed = aSeed();
    const edges = [0n, 1n, 4_999n, 5_000n, 10_000n, int64Max - 1n, int64Max];
    const shares = [0, 1, 290, 9_999, 10_000];
    const fixedParts = [0n, 1n, 30n, int64Max];
    const cases = [
      ...edges.flatMap((captured) =>
        shares.flatMap((basisPoints) => fixedParts.map((fixed) => ({ captured, basisPoints, fixed }))),
      ),
      ...sampleOf(
        fc.record({ captured: anAmount, basisPoints: fc.integer({ min: 0, max: 10_000 }), fixed: anAmount }),
        seed,
      ),
    ].map(({ captured, basisPoints, fixed }) => ({
      captured,
      terms: someTerms({ feeBasisPoints: basisPoints, feeFixedMinor: fixed.toString() }),
    }));
    const { rows } = await database.db.pool.query<{ fee: string }>(
      'SELECT payment_fee(c, t)::text AS fee FROM unnest($1::bigint[], $2::jsonb[]) AS x (c, t)',
      [cases.map(({ captured }) => captured.toString()), cases.map(({ terms }) => JSON.stringify(terms))],
    );
    expect(rows, `seed ${seed}`).toEqual(
      cases.map(({ captured, terms }) => ({ fee: feeOf(captured, terms).toString() })),
    );
  });

  test('payment_fee: nothing for a payment of an older release, whose terms say nothing', async () => {
    const { rows } = await database.db.pool.query(`SELECT payment_fee(2599, '{}')::text AS fee`);
    expect(rows).toEqual([{ fee: '0' }]);
  });
});

describe('what is posted', () => {
  const sums = async (call: string, values: unknown[]) =>
    (
      await database.db.pool.query<{ account: string; amount: string }>(
        `SELECT account, amount::text FROM ${call}`,
        values,
      )
    ).rows;

  test('when money is taken: all of it, less the fee for the merchant, and nothing of nothing', async () => {
    const taken = (amount: bigint, fee: bigint) =>
      sums('capture_postings($1, $2, $3)', ['easypay', amount.toString(), fee.toString()]);
    expect(await taken(2_599n, 105n)).toEqual([
      { account: 'receivable.easypay', amount: '2599' },
      { account: 'merchant', amount: '-2494' },
      { account: 'fees', amount: '-105' },
    ]);
    expect(await taken(2_599n, 0n)).toHaveLength(2);
    expect(await taken(30n, 30n)).toEqual([
      { account: 'receivable.easypay', amount: '30' },
      { account: 'fees', amount: '-30' },
    ]);
    expect((await taken(int64Max, 1n)).map(({ amount }) => BigInt(amount)).reduce((sum, one) => sum + one)).toBe(0n);
  });

  test.each([
    ['pending', { merchant: '100', refunds: '-100' }],
    ['unresolved', {}],
    ['succeeded', { refunds: '100', 'receivable.paypal': '-100' }],
    ['failed', { merchant: '-100', refunds: '100' }],
  ])('when a refund is %s: %j', async (state, expected) => {
    const rows = await sums('refund_postings($1, $2, $3)', ['paypal', state, '100']);
    expect(Object.fromEntries(rows.map(({ account, amount }) => [account, amount]))).toEqual(expected);
  });
});

describe('the ledger', () => {
  type Posting = readonly [eventId: string, account: string, currency: string, amount: string];

  /** Inserts postings in one statement, as the application. Null: they stand; otherwise what refused them. */
  async function post(postings: readonly Posting[]): Promise<string | null> {
    const columns = [0, 1, 2, 3].map((index) => postings.map((posting) => posting[index]));
    try {
      await database.db.pool.query(
        `INSERT INTO ledger_entries (event_id, account, currency, amount, merchant_id, is_test, payment_id, object_id,
           created_at)
         SELECT e, a, c, n, 'mer_1', true, $5, $5, now()
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS t (e, a, c, n)`,
        [...columns, paymentId],
      );
      return null;
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === null) throw error;
      return state;
    }
  }

  const guardRefused = 'PMT01';
  const checkViolation = '23514';
  const balanced = (event: string): Posting[] => [
    [event, 'receivable.easypay', 'USD', '100'],
    [event, 'merchant', 'USD', '-70'],
    [event, 'fees', 'USD', '-30'],
  ];

  test.each<[string, Posting[], string | null]>([
    ['balanced postings', balanced('evt_1'), null],
    ['those of two events, each balanced', [...balanced('evt_2'), ...balanced('evt_3')], null],
    ['one alone', [['evt_4', 'merchant', 'USD', '1']], guardRefused],
    [
      'two that differ by one',
      [
        ['evt_5', 'merchant', 'USD', '-100'],
        ['evt_5', 'fees', 'USD', '99'],
      ],
      guardRefused,
    ],
    [
      'two events that balance only together',
      [
        ['evt_6', 'merchant', 'USD', '-100'],
        ['evt_7', 'fees', 'USD', '100'],
      ],
      guardRefused,
    ],
    [
      'one event in two currencies',
      [
        ['evt_8', 'merchant', 'USD', '-100'],
        ['evt_8', 'fees', 'EUR', '100'],
      ],
      guardRefused,
    ],
    [
      'one event that is balanced in each of two currencies',
      [
        ['evt_9', 'merchant', 'USD', '-100'],
        ['evt_9', 'fees', 'USD', '100'],
        ['evt_9', 'refunds', 'EUR', '-100'],
        ['evt_9', 'receivable.easypay', 'EUR', '100'],
      ],
      guardRefused,
    ],
    ['a posting of nothing', [...balanced('evt_10'), ['evt_10', 'refunds', 'USD', '0']], checkViolation],
    [
      'an account that is none',
      [
        ['evt_11', 'merchant', 'USD', '-1'],
        ['evt_11', 'tips', 'USD', '1'],
      ],
      checkViolation,
    ],
    [
      'a sum beyond 64 bits that is none of zero',
      [
        ['evt_12', 'merchant', 'USD', int64Max.toString()],
        ['evt_12', 'fees', 'USD', int64Max.toString()],
        ['evt_12', 'refunds', 'USD', '2'],
      ],
      guardRefused,
    ],
  ])('stores %s, or refuses them whole', async (_name, postings, expected) => {
    const eventIds = postings.map(([eventId]) => eventId);
    expect(await post(postings)).toBe(expected);
    const { rows } = await database.admin.query('SELECT FROM ledger_entries WHERE event_id = ANY($1)', [eventIds]);
    expect(rows).toHaveLength(expected === null ? postings.length : 0);
  });

  test('takes the postings of an event once', async () => {
    expect(await post(balanced('evt_once'))).toBeNull();
    expect(await post(balanced('evt_once'))).toBe('23505');
  });

  test.each(['UPDATE ledger_entries SET amount = 1', 'DELETE FROM ledger_entries', 'TRUNCATE ledger_entries'])(
    'lets the application do no %s',
    async (sql) => {
      await expect(database.db.pool.query(sql)).rejects.toMatchObject({ code: '42501' });
    },
  );
});
