import { type Database, run } from './database.ts';
import type { Page } from './page.ts';
import type { MerchantScope } from './payments.ts';

/** A test clock as its row has it, with the first ten subscriptions that are not done with what is due at its time. */
export interface TestClockRow {
  readonly id: string;
  readonly request_hash: string;
  readonly name: string | null;
  readonly status: 'ready' | 'advancing';
  readonly now: Date;
  /** Where it is being advanced to; null: nowhere. */
  readonly target: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly waiting_for: readonly string[];
}

const waitingForMax = 10;

/** Of a subscription `s` and its clock `c`: something is due by then, or a payment or refund of it is on its way. */
const isUnsettled = `(s.due_at <= c.now OR s.charge_payment_id IS NOT NULL OR s.refunds_due <> '[]')`;

const columns = `
  c.id, c.request_hash, c.name, c.status, c.now, c.target, c.created_at, c.updated_at,
  ARRAY(
    SELECT s.id FROM subscriptions s WHERE s.test_clock_id = c.id AND ${isUnsettled} ORDER BY s.id LIMIT ${waitingForMax}
  ) AS waiting_for`;

/** A test clock to make. Instants are ISO 8601. */
export interface NewTestClock {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly name: string | null;
  readonly frozenTime: string;
  readonly now: string;
}

const insert = {
  name: 'insert_test_clock',
  text: `
    INSERT INTO test_clocks AS c (
      id, merchant_id, is_test, idempotency_key, request_hash, name, now, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
    ON CONFLICT DO NOTHING RETURNING ${columns}`,
};

/** Makes a clock that stands still. Not `isNew`: this id has a row already, perhaps of another request. */
export async function makeTestClock(
  db: Database,
  scope: MerchantScope,
  clock: NewTestClock,
): Promise<{ readonly isNew: boolean; readonly clock: TestClockRow }> {
  const { id, idempotencyKey, requestHash, name, frozenTime, now } = clock;
  const values = [id, scope.merchantId, scope.isTest, idempotencyKey, requestHash, name, frozenTime, now];
  const [made] = await run<TestClockRow>(db, insert, values);
  const found = made ?? (await findTestClock(db, scope, id));
  if (found === null) throw new Error(`${id} was neither made nor found`);
  return { isNew: made !== undefined, clock: found };
}

const select = {
  name: 'select_test_clock',
  text: `SELECT ${columns} FROM test_clocks c WHERE c.merchant_id = $1 AND c.is_test = $2 AND c.id = $3`,
};

/** A clock of this merchant, or null; none is of the live mode. */
export async function findTestClock(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  clockId: string,
): Promise<TestClockRow | null> {
  const [row] = await run<TestClockRow>(db, select, [merchantId, isTest, clockId]);
  return row ?? null;
}

/** Clocks of this merchant, newest first, those behind `after` only, at most `limit`. */
export async function findTestClocks(db: Database, scope: MerchantScope, page: Page): Promise<TestClockRow[]> {
  const behind = page.after === null ? '' : ' AND (c.created_at, c.id) < ($4::timestamptz, $5)';
  const statement = {
    name: `list_test_clocks_${page.after === null ? 'first' : 'next'}`,
    text: `
      SELECT ${columns} FROM test_clocks c WHERE c.merchant_id = $1 AND c.is_test = $2${behind}
      ORDER BY c.created_at DESC, c.id DESC LIMIT $3`,
  };
  return run<TestClockRow>(db, statement, [scope.merchantId, scope.isTest, page.limit, ...(page.after ?? [])]);
}

const begin = {
  name: 'begin_test_clock_advance',
  text: `
    UPDATE test_clocks c SET status = 'advancing', target = $4, updated_at = greatest(c.updated_at, $6::timestamptz)
    WHERE c.merchant_id = $1 AND c.is_test = $2 AND c.id = $3 AND c.status = 'ready' AND c.now = $5
    RETURNING ${columns}`,
};

/** Sets out from `from` to `target`. Null: it does not stand still there any more. Instants are ISO 8601. */
export async function beginAdvance(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  clockId: string,
  advance: { readonly from: string; readonly target: string; readonly now: string },
): Promise<TestClockRow | null> {
  const values = [merchantId, isTest, clockId, advance.target, advance.from, advance.now];
  const [row] = await run<TestClockRow>(db, begin, values);
  return row ?? null;
}

/** How far an advance is: the clock's time, and what it waits for there. */
export interface AdvanceState {
  readonly now: Date;
  /** Null: it has arrived, or none was begun. */
  readonly target: Date | null;
  /** When something is due next, no later than the target and after now; null: nothing. */
  readonly nextDue: Date | null;
  readonly unsettled: readonly UnsettledSubscription[];
}

/** A subscription that is not done with what is due, with what its workflow is started with. */
export interface UnsettledSubscription {
  readonly id: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly externalId: string;
  readonly version: number;
  /** Minor units, as a decimal string. */
  readonly amountMinor: string;
  readonly currency: string;
  readonly billingCycle: string;
  /** Whether it is to do something now; false: a payment or a refund of it is on its way, and ends without a word of ours. */
  readonly isDue: boolean;
  /** Whether that is on its way for so long that its workflow may be gone. */
  readonly isLate: boolean;
}

/** At a time: a clock of more subscriptions than that is worked through in turns. */
const unsettledMax = 500;

const state = {
  name: 'select_test_clock_advance',
  text: `
    SELECT c.now, c.target,
      (SELECT min(s.due_at) FROM subscriptions s
        WHERE s.test_clock_id = c.id AND s.due_at > c.now AND s.due_at <= c.target) AS "nextDue",
      COALESCE((SELECT jsonb_agg(u) FROM (
        SELECT s.id, s.merchant_id AS "merchantId", s.is_test AS "isTest", s.external_id AS "externalId", s.version,
          s.amount::text AS "amountMinor", s.currency, s.billing_cycle AS "billingCycle",
          COALESCE(s.due_at <= c.now, false) AS "isDue", COALESCE(s.wake_at < clock_timestamp(), false) AS "isLate"
        FROM subscriptions s WHERE s.test_clock_id = c.id AND ${isUnsettled} ORDER BY s.due_at, s.id LIMIT ${unsettledMax}
      ) u), '[]') AS unsettled
    FROM test_clocks c WHERE c.id = $1`,
};

/** How far the clock's advance is. Throws when there is no such clock. */
export async function readAdvance(db: Database, clockId: string): Promise<AdvanceState> {
  const [row] = await run<AdvanceState>(db, state, [clockId]);
  if (row === undefined) throw new Error(`there is no test clock ${clockId}`);
  return row;
}

const quiet = {
  name: 'quiet_late_subscription',
  text: `UPDATE subscriptions SET wake_at = clock_timestamp() + interval '5 minutes' WHERE id = $1`,
};

/** Counts a subscription that is late as looked at, for some minutes. */
export async function quietLateSubscription(db: Database, subscriptionId: string): Promise<void> {
  await run(db, quiet, [subscriptionId]);
}

/**
 * Sets the clock from one instant of its advance to a later one; `arrives`: to its target, where it stands still again. It stays where
 * a subscription has come to it meanwhile that is to do something before: the lock keeps those that are being made waiting.
 */
export async function moveTestClock(
  db: Database,
  clockId: string,
  { from, to, arrives }: { readonly from: Date; readonly to: Date; readonly arrives: boolean },
): Promise<void> {
  await db.prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT id FROM test_clocks WHERE id = ${clockId} FOR NO KEY UPDATE`;
    await tx.$executeRaw`
      UPDATE test_clocks c SET now = ${to},
        status = CASE WHEN ${arrives} THEN 'ready' ELSE c.status END, target = CASE WHEN ${arrives} THEN NULL ELSE c.target END,
        updated_at = greatest(c.updated_at, ${new Date()}::timestamptz)
      WHERE c.id = ${clockId} AND c.now = ${from} AND c.status = 'advancing' AND c.target >= ${to}
        AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.test_clock_id = c.id AND s.due_at < ${to})`;
  });
}

/** A clock that is being advanced. */
export interface OpenTestClock {
  readonly id: string;
  readonly merchantId: string;
}

const selectOpen = {
  name: 'select_open_test_clocks',
  text: `
    SELECT id, merchant_id AS "merchantId" FROM test_clocks
    WHERE status = 'advancing' AND updated_at < $1 AND id > $2 ORDER BY id LIMIT $3`,
};

/** Clocks that are being advanced and did not move lately, by id, those after `afterId`. */
export async function listOpenTestClocks(
  db: Database,
  page: { readonly madeBefore: Date; readonly afterId: string; readonly limit: number },
): Promise<OpenTestClock[]> {
  return run<OpenTestClock>(db, selectOpen, [page.madeBefore, page.afterId, page.limit]);
}
