import { callApi, type List, readAll } from '../support/api-call.ts';
import type { World } from '../support/world.ts';
import { type Facts, type Life, statusOf } from './model.ts';
import { shows } from './outcomes.ts';
import { exponents } from './sequence.ts';
import { type Caller, minorOf, shownOf, type WirePayment } from './wire.ts';

type Currency = keyof typeof exponents;

/** A payment whose books are read: it is the only one of its merchant. */
export interface Bookkeeping {
  readonly world: World;
  readonly caller: Caller;
  readonly paymentId: string;
  readonly currency: Currency;
  readonly facts: Facts;
  readonly fee: FeeTerms;
}

/** Our fee on what is captured. Minor units. */
interface FeeTerms {
  readonly basisPoints: bigint;
  readonly fixed: bigint;
}

/** A payment's row and those of its movements, read in one statement. */
export interface Rows {
  readonly status: string;
  readonly authorized: string;
  readonly captured: string;
  readonly voided: string;
  readonly refunded: string;
  readonly moves: readonly MoveRow[];
}

interface MoveRow {
  readonly id: string;
  readonly key: string;
  readonly kind: string;
  readonly amount: string;
  readonly state: string;
}

/** Reads a payment and its movements, as they are at one moment; null before it is accepted. */
export async function readRows({ world, paymentId }: Pick<Bookkeeping, 'world' | 'paymentId'>): Promise<Rows | null> {
  const { rows } = await world.admin.query<Rows>(
    `SELECT p.status, p.authorized_amount::text AS authorized, p.captured_amount::text AS captured,
       p.voided_amount::text AS voided, p.refunded_amount::text AS refunded,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', m.id, 'key', m.idempotency_key, 'kind', m.kind,
          'amount', m.amount::text, 'state', m.state) ORDER BY m.created_at, m.id), '[]')
        FROM movements m WHERE m.payment_id = p.id) AS moves
     FROM payments p WHERE p.id = $1`,
    [paymentId],
  );
  return rows[0] ?? null;
}

/** Whether the rows are those of a payment that stands so. */
export function isIn(life: Life, rows: Rows): boolean {
  const { status, moves } = rows;
  const amounts = {
    authorized: BigInt(rows.authorized),
    captured: BigInt(rows.captured),
    voided: BigInt(rows.voided),
    refunded: BigInt(rows.refunded),
  };
  const texts = (all: readonly { kind: string; key: string; amount: string | bigint; state: string }[]) =>
    all.map(({ kind, key, amount, state }) => `${kind} ${key} ${amount} ${state}`).toSorted();
  return shows(life, { status, ...amounts }) && texts(life.moves).join() === texts(moves).join();
}

/**
 * Holds everything that can be read about a payment at rest against how it must stand: what the API shows of it, the bank's
 * book, the ledger and the balance, the events. Returns what is wrong.
 */
export async function auditOf(books: Bookkeeping, life: Life, rows: Rows): Promise<string[]> {
  const complaints: string[] = [];
  const require: Require = (is, what) => {
    if (!is) complaints.push(what);
  };
  const { authorized, captured, refunded, voided } = life;
  require(0n <= refunded &&
    refunded <= captured &&
    captured + voided <= authorized, 'refunded ≤ captured ≤ authorized');
  await auditApi(books, life, rows, require);
  await auditBank(books, life, rows, require);
  await auditLedger(books, life, require);
  await auditEvents(books, rows, require);
  return complaints;
}

type Require = (is: boolean, what: string) => void;

interface WireMove {
  readonly id: string;
  readonly amount: string;
  readonly status: string;
}

async function auditApi(books: Bookkeeping, life: Life, rows: Rows, require: Require): Promise<void> {
  const { caller, paymentId, currency, facts } = books;
  const path = `/api/v1/payments/${paymentId}`;
  const [payment, captures, refunds] = await Promise.all([
    read<{ data: WirePayment }>(caller, path),
    read<List<WireMove>>(caller, `${path}/captures`),
    read<List<WireMove>>(caller, `${path}/refunds`),
  ]);
  require(shows(
    life,
    shownOf(payment.data),
  ), `the payment is shown as ${JSON.stringify(shownOf(payment.data), withBigInts)}`);
  const succeeded = life.moves.filter(({ kind, state }) => kind === 'refund' && state === 'succeeded').length;
  require(payment.data.refund_count === succeeded, `refund_count is ${payment.data.refund_count}, not ${succeeded}`);
  const textsOf = (moves: readonly WireMove[]) =>
    moves
      .map(({ id, amount, status }) => `${id} ${minorOf(amount, currency)} ${status}`)
      .toSorted()
      .join();
  const expected = (wanted: string) =>
    rows.moves
      .filter(({ kind }) => kind === wanted)
      .map(({ id, amount, state }) => `${id} ${amount} ${state}`)
      .toSorted()
      .join();
  require(textsOf(captures.data) === expected('capture'), `GET captures shows ${textsOf(captures.data)}`);
  require(textsOf(refunds.data) === expected('refund'), `GET refunds shows ${textsOf(refunds.data)}`);
  const own = payment.data.captures;
  require((own === null) === !facts.isManual, `captures is ${own === null ? '' : 'not '}null`);
  require(own === null || textsOf(own) === expected('capture'), `the payment's captures are ${textsOf(own ?? [])}`);
}

/** Each reference has moved what it must have moved, once; and all of them together leave what the payment says. */
async function auditBank(books: Bookkeeping, life: Life, rows: Rows, require: Require): Promise<void> {
  const { world, paymentId, currency, facts } = books;
  const sums = { charge: 0n, authorize: 0n, capture: 0n, void: 0n, refund: 0n };
  const expect = async (reference: string, kind: keyof typeof sums, amount: bigint | 'either') => {
    const moved = await world.bank.movements(reference);
    for (const one of moved) sums[kind] += BigInt(one.amount_minor);
    const what = `${kind} ${reference} moved ${moved.map((one) => `${one.kind} ${one.amount_minor} ${one.currency}`).join(', ') || 'nothing'}`;
    require(moved.length <= 1, what);
    require(moved.every((one) => one.kind === kind && one.currency === currency), what);
    if (amount !== 'either') require((moved[0]?.amount_minor ?? '0') === amount.toString(), `${what}, not ${amount}`);
  };
  const isCharged = life.charge === 'charged' || life.charge === 'unresolved';
  // Who approved a reservation while it was given up has it given back: of that the bank alone knows.
  const isGivenBack = life.charge === 'canceled' && facts.isManual && facts.card === 'challenges';
  const charge = isCharged ? facts.amount : 0n;
  await expect(paymentId, facts.isManual ? 'authorize' : 'charge', isGivenBack ? 'either' : charge);
  for (const { id, kind, amount, state } of rows.moves) {
    const hasMoved = state === 'succeeded' || state === 'unresolved';
    const isVoidOfNothing = kind === 'void' && amount === '0';
    await expect(id, kind as keyof typeof sums, isVoidOfNothing ? 'either' : hasMoved ? BigInt(amount) : 0n);
  }
  if (statusOf(life) === 'unresolved' || life.moves.some(({ state }) => state === 'unresolved')) return;
  require(sums.charge + sums.capture - sums.refund ===
    life.captured - life.refunded, 'captured − refunded at the bank');
  const held = life.authorized - life.captured - life.voided;
  if (facts.isManual) require(sums.authorize - sums.capture - sums.void === held, 'what is still held at the bank');
}

interface Posting {
  readonly event_id: string;
  readonly account: string;
  readonly amount: string;
  readonly direction: string;
  readonly currency: Currency;
}

interface Balance {
  readonly currency: Currency;
  readonly available: string;
  readonly refunds_pending: string;
  readonly receivable: string;
  readonly fees: string;
}

/** Every prefix of the ledger that ends with a transaction sums to zero, and all of it to what the payment says. */
async function auditLedger(books: Bookkeeping, life: Life, require: Require): Promise<void> {
  const { caller, currency, fee } = books;
  const postings = await readAll<Posting>(caller.apiUrl, caller.apiKey, '/api/v1/ledger');
  const sums = new Map<string, bigint>();
  let sum = 0n;
  for (const [index, { event_id: id, account, amount, direction, currency: posted }] of postings.entries()) {
    const minor = direction === 'debit' ? minorOf(amount, posted) : -minorOf(amount, posted);
    sums.set(account, (sums.get(account) ?? 0n) + minor);
    sum += minor;
    require(posted === currency, `a posting is in ${posted}`);
    if (postings[index + 1]?.event_id !== id) require(sum === 0n, `the ledger sums to ${sum} after ${id}`);
  }
  const reserved = life.moves.filter(
    ({ kind, state }) => kind === 'refund' && (state === 'pending' || state === 'unresolved'),
  );
  const pending = reserved.reduce((all, { amount }) => all + amount, 0n);
  const fees = feeOn(life.captured, fee);
  const receivable = life.captured - life.refunded;
  const expected = { receivable, fees, refunds_pending: pending, available: receivable - pending - fees };
  const booked = {
    receivable: sums.get('receivable.easypay') ?? 0n,
    fees: -(sums.get('fees') ?? 0n),
    refunds_pending: -(sums.get('refunds') ?? 0n),
    available: -(sums.get('merchant') ?? 0n),
  };
  const { data: balances } = await read<List<Balance>>(caller, '/api/v1/balance');
  const [balance] = balances;
  require(balances.length === (postings.length === 0 ? 0 : 1), `there are ${balances.length} balances`);
  for (const [name, amount] of Object.entries(expected) as [keyof typeof expected, bigint][]) {
    require(booked[name] === amount, `${name} is ${booked[name]} in the ledger, not ${amount}`);
    const shown = balance === undefined ? 0n : minorOf(balance[name], currency);
    require(shown === amount, `${name} is ${shown} in the balance, not ${amount}`);
  }
}

/** A share, rounded half up, and a fixed part, and never more than was captured. */
function feeOn(captured: bigint, { basisPoints, fixed }: FeeTerms): bigint {
  if (captured === 0n) return 0n;
  const share = captured * basisPoints;
  const fee = share / 10_000n + (share % 10_000n >= 5_000n ? 1n : 0n) + fixed;
  return fee < captured ? fee : captured;
}

/** The payment and each movement have told all that became of them: numbered without a gap, and the last one tells the end. */
async function auditEvents({ world, caller, paymentId }: Bookkeeping, rows: Rows, require: Require): Promise<void> {
  const events = await readAll<{ object_id: string; type: string; sequence: number }>(
    caller.apiUrl,
    caller.apiKey,
    '/api/v1/events',
  );
  // The feed may have them in another order, as docs/webhooks.md says: `sequence` is theirs.
  const inOrder = events.toSorted((one, other) => one.sequence - other.sequence);
  const byObject = Map.groupBy(inOrder, ({ object_id: id }) => id);
  const versions = await world.admin.query<{ id: string; version: number }>(
    'SELECT id, version FROM payments WHERE id = $1 UNION ALL SELECT id, version FROM movements WHERE payment_id = $1',
    [paymentId],
  );
  require(byObject.size === versions.rows.length, `${byObject.size} objects have events, not ${versions.rows.length}`);
  for (const { id, version } of versions.rows) {
    const numbers = (byObject.get(id) ?? []).map(({ sequence }) => sequence);
    const expected = Array.from({ length: version }, (_, index) => index + 1);
    require(numbers.join() === expected.join(), `the events of ${id} are ${numbers.join()}, its version is ${version}`);
  }
  const endOf = (id: string) => byObject.get(id)?.at(-1)?.type;
  for (const { id, kind, state } of rows.moves)
    require(endOf(id) === `${kind}.${state}`, `the last event of ${id}, which is ${state}, is ${endOf(id)}`);
  require(endOf(paymentId) === `payment.${rows.status}` ||
    rows.status === 'unresolved', `the last event of the payment, which is ${rows.status}, is ${endOf(paymentId)}`);
}

async function read<Body>({ apiUrl, apiKey }: Caller, path: string): Promise<Body> {
  const answer = await callApi<Body>(apiUrl, apiKey, { path });
  if (answer.status !== 200) throw new Error(`GET ${path} was answered ${answer.status}`);
  return answer.body;
}

/** For `JSON.stringify`. */
function withBigInts(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
