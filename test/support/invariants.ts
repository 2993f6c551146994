import { expect } from 'vitest';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { canMove, isFinal, type PaymentStatus } from '../../workflows/domain/payment-status.ts';
import type { Movement } from './bank.ts';
import type { World } from './world.ts';

interface PaymentRow {
  readonly id: string;
  readonly merchant_id: string;
  readonly status: PaymentStatus;
  readonly version: number;
  readonly amount: string;
  readonly captured_amount: string;
  readonly currency: string;
  readonly open_attempt_id: string | null;
}

interface EventRow {
  readonly id: string;
  readonly type: string;
  readonly object_id: string;
  readonly sequence: number;
  readonly data: { readonly status: PaymentStatus; readonly captured_amount_minor: string };
}

interface AuditRow {
  readonly event_id: string | null;
  readonly payment_id: string;
  readonly from_status: PaymentStatus | null;
  readonly to_status: PaymentStatus;
  readonly actor: string;
}

interface AttemptRow {
  readonly id: string;
  readonly payment_id: string;
  readonly operation: string;
  readonly number: number;
  readonly state: string;
}

/**
 * Compares everything that our database says about payments with the bank's own book: each charge moved money at most
 * once, under its own key and for its own amount; captured is what moved; events, audit entries and alerts tell the same
 * story without a gap, and whatever is not final has an open workflow. For a world at rest: whatever is still `pending`
 * fails it.
 */
export async function expectInvariants(world: World): Promise<void> {
  const select = async <Row>(table: string, order: string) =>
    (await world.admin.query(`SELECT * FROM ${table} ORDER BY ${order}`)).rows as Row[];
  const payments = await select<PaymentRow>('payments', 'id');
  const events = Map.groupBy(await select<EventRow>('events', 'sequence'), (event) => event.object_id);
  const acts = await select<AuditRow>('payment_audit_trail', 'created_at');
  const changes = acts.filter((entry) => entry.event_id !== null); // the others changed no state
  const audit = Map.groupBy(changes, (entry) => entry.payment_id);
  const attempts = Map.groupBy(await select<AttemptRow>('attempts', 'number'), (attempt) => attempt.payment_id);
  const all = await world.bank.movements();
  const movements = Map.groupBy(all, (movement) => movement.reference);
  const alerts = await select<{ resource_id: string; closed_at: Date | null }>('alerts', 'id');
  const openAlerts = alerts.filter((alert) => alert.closed_at === null).map((alert) => alert.resource_id);

  const known = new Set(payments.map((payment) => payment.id));
  expect(all.filter((movement) => !known.has(movement.reference))).toEqual([]);
  for (const payment of payments) {
    const charges = (attempts.get(payment.id) ?? []).filter(({ operation }) => operation === 'charge');
    expectMoney(payment, movements.get(payment.id) ?? [], charges);
    expectStory(payment, events.get(payment.id) ?? [], audit.get(payment.id) ?? []);
    expectAttempts(payment, charges);
    if (!isFinal(payment.status)) await expectOpenWorkflow(world, payment.id);
    const alertsExpected = payment.status === 'unresolved' ? 1 : 0;
    expect(
      openAlerts.filter((id) => id === payment.id),
      payment.id,
    ).toHaveLength(alertsExpected);
  }
  await expectConservation(world);
}

function expectMoney(payment: PaymentRow, moved: readonly Movement[], charges: readonly AttemptRow[]): void {
  expect(payment.status, `${payment.id} came to rest`).not.toBe('pending');
  const what = `${payment.id}, ${payment.status}`;
  expect(moved.length, `${what}: movements`).toBeLessThanOrEqual(1);
  if (isFinal(payment.status)) {
    expect(moved.length, `${what}: movements`).toBe(payment.status === 'captured' ? 1 : 0);
    expect(payment.open_attempt_id, what).toBeNull();
  }
  for (const movement of moved) {
    const { number = 0 } = charges.find(({ id }) => id === movement.idempotency_key) ?? {};
    expect(movement.idempotency_key, what).toBe(attemptIdOf(payment.id, 'charge', number));
    expect([movement.amount_minor, movement.currency], what).toEqual([payment.amount, payment.currency]);
  }
  expect(payment.captured_amount, what).toBe(payment.status === 'captured' ? payment.amount : '0');
}

/** One approved attempt, the last, for each payment that was charged, and none left open by a payment that has ended. */
function expectAttempts(payment: PaymentRow, attempts: readonly AttemptRow[]): void {
  const states = attempts.map((attempt) => attempt.state);
  const what = `${payment.id}, ${payment.status}: attempts`;
  const approved = states.filter((state) => state === 'approved').length;
  if (isFinal(payment.status)) {
    expect(approved, what).toBe(payment.status === 'captured' ? 1 : 0);
    for (const state of states) expect(['sent', 'unknown'], what).not.toContain(state);
  }
}

async function expectOpenWorkflow(world: World, id: string): Promise<void> {
  const { status } = await world.temporal.workflow.getHandle(id).describe();
  expect(status.name, `${id} is not final: its workflow`).toBe('RUNNING');
}

function expectStory(payment: PaymentRow, events: readonly EventRow[], audit: readonly AuditRow[]): void {
  const versions = Array.from({ length: payment.version }, (_, index) => index + 1);
  expect(
    events.map((event) => event.sequence),
    payment.id,
  ).toEqual(versions);
  const path = events.map((event) => event.data.status);
  expect(path[0], payment.id).toBe('pending');
  expect(path.at(-1), payment.id).toBe(payment.status);
  expect(events.at(-1)?.data.captured_amount_minor, payment.id).toBe(payment.captured_amount);
  expect(audit, payment.id).toHaveLength(events.length);
  for (const [index, event] of events.entries()) {
    const from = path[index - 1];
    const isNoMove = event.type === 'payment.delayed' || event.type === 'payment.rerouted';
    if (isNoMove) expect(event.data.status, `${payment.id}: ${event.type}`).toBe(from);
    else expect(event.type, payment.id).toBe(`payment.${event.data.status}`);
    if (from !== undefined && !isNoMove) {
      expect(canMove(from, event.data.status), `${payment.id}: ${path.join(' → ')}`).toBe(true);
    }
    const entry = audit.find((one) => one.event_id === event.id);
    const told = { from_status: from ?? null, to_status: event.data.status, actor: expect.stringMatching(/./) };
    expect(entry, `${payment.id}: audit of event ${event.sequence}`).toMatchObject(told);
  }
}

/** The bank's accounts sum to zero; per currency it has taken what we say was captured, and what still is unresolved. */
async function expectConservation(world: World): Promise<void> {
  const sums = new Map<string, bigint>();
  const taken = new Map<string, bigint>();
  for (const { id, currency, balance_minor } of await world.bank.accounts()) {
    sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(balance_minor));
    if (id.startsWith('merchants_')) taken.set(currency, BigInt(balance_minor));
  }
  for (const [currency, sum] of sums) expect(sum, currency).toBe(0n);

  const { rows } = await world.admin.query<{ id: string; currency: string; captured_amount: string; status: string }>(
    'SELECT id, currency, captured_amount, status FROM payments',
  );
  const unresolved = new Set(rows.filter((row) => row.status === 'unresolved').map((row) => row.id));
  const ours = new Map<string, bigint>([...taken.keys()].map((currency) => [currency, 0n]));
  for (const row of rows) ours.set(row.currency, (ours.get(row.currency) ?? 0n) + BigInt(row.captured_amount));
  for (const movement of await world.bank.movements()) {
    if (!unresolved.has(movement.reference)) continue;
    ours.set(movement.currency, (ours.get(movement.currency) ?? 0n) + BigInt(movement.amount_minor));
  }
  for (const [currency, sum] of ours)
    expect(sum, `${currency}: captured by us and by the bank`).toBe(taken.get(currency) ?? 0n);
}
