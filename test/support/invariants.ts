import { expect } from 'vitest';
import { canMoveMovement, type MovementState } from '../../workflows/domain/movement.ts';
import { canMove, type PaymentStatus } from '../../workflows/domain/payment-status.ts';
import {
  type AttemptRow,
  expectBalanced,
  expectConservation,
  expectMoney,
  isSettled,
  type MovementRow,
  type PaymentMoney,
  type PaymentRow,
  type PostingRow,
} from './money-invariants.ts';
import type { World } from './world.ts';

interface EventRow {
  readonly id: string;
  readonly type: string;
  readonly object_id: string;
  readonly sequence: number;
  readonly data: { readonly status: string; readonly captured_amount_minor?: string };
}

interface AuditRow {
  readonly event_id: string | null;
  readonly object_id: string;
  readonly from_status: string | null;
  readonly to_status: string;
  readonly actor: string;
}

/**
 * Compares everything that our database says about payments with the bank's own book: each charge, capture, void and refund
 * moved money at most once, under its own key and for its own amount; amounts, ledger and book agree; events, audit entries
 * and alerts tell the same story without a gap, and whatever is open has an open workflow. For a world at rest: whatever is
 * still `pending` fails it.
 */
export async function expectInvariants(world: World): Promise<void> {
  const select = async <Row>(table: string, order: string) =>
    (await world.admin.query(`SELECT * FROM ${table} ORDER BY ${order}`)).rows as Row[];
  const payments = await select<PaymentRow>('payments', 'id');
  const allMovements = await select<MovementRow>('movements', 'created_at, id');
  const movements = Map.groupBy(allMovements, (movement) => movement.payment_id);
  const attempts = Map.groupBy(await select<AttemptRow>('attempts', 'number'), (attempt) => attempt.payment_id);
  const allPostings = await select<PostingRow>('ledger_entries', 'position');
  const postings = Map.groupBy(allPostings, (posting) => posting.payment_id);
  const events = Map.groupBy(await select<EventRow>('events', 'sequence'), (event) => event.object_id);
  const acts = await select<AuditRow>('payment_audit_trail', 'created_at');
  const audit = Map.groupBy(
    acts.filter((entry) => entry.event_id !== null), // the others changed no state
    (entry) => entry.object_id,
  );
  const booked = await world.bank.movements();
  const bank = Map.groupBy(booked, (movement) => movement.reference);
  const alerts = await select<{ resource_id: string; kind: string; closed_at: Date | null }>('alerts', 'id');
  const openAlerts = alerts.filter(({ closed_at, kind }) => closed_at === null && kind.endsWith('_unresolved'));
  const alertsOf = (id: string) => openAlerts.filter((alert) => alert.resource_id === id).length;

  const known = new Set([...payments, ...allMovements].map(({ id }) => id));
  expect(booked.filter((movement) => !known.has(movement.reference))).toEqual([]);
  const moneys: PaymentMoney[] = payments.map((payment) => ({
    payment,
    movements: movements.get(payment.id) ?? [],
    attempts: attempts.get(payment.id) ?? [],
    postings: postings.get(payment.id) ?? [],
    bank,
  }));
  for (const money of moneys) {
    const { payment } = money;
    expectMoney(money);
    expectStoryOfPayment(payment, events.get(payment.id) ?? []);
    expectAudit(payment.id, events.get(payment.id) ?? [], audit.get(payment.id) ?? []);
    if (!isSettled(payment)) await expectOpenWorkflow(world, payment.id);
    expect(alertsOf(payment.id), payment.id).toBe(payment.status === 'unresolved' ? 1 : 0);
    for (const movement of money.movements) {
      expectStoryOfMovement(movement, events.get(movement.id) ?? []);
      expectAudit(movement.id, events.get(movement.id) ?? [], audit.get(movement.id) ?? []);
      const isOpenRefund = movement.kind === 'refund' && movement.state === 'unresolved';
      if (isOpenRefund) await expectOpenWorkflow(world, movement.id);
      expect(alertsOf(movement.id), movement.id).toBe(isOpenRefund ? 1 : 0);
    }
  }
  expectBalanced(allPostings);
  await expectConservation(world, moneys);
}

async function expectOpenWorkflow(world: World, id: string): Promise<void> {
  const { status } = await world.temporal.workflow.getHandle(id).describe();
  expect(status.name, `${id} is open: its workflow`).toBe('RUNNING');
}

/** What may happen to a payment without a change of its status. */
const noMoves = new Set([
  'payment.delayed',
  'payment.rerouted',
  'payment.retry_scheduled',
  'payment.captured', // another capture of the same payment
  'payment.partially_refunded',
  'payment.refunded',
]);

function expectStoryOfPayment(payment: PaymentRow, events: readonly EventRow[]): void {
  expectSequence(payment.id, payment.version, events);
  const path = events.map((event) => event.data.status as PaymentStatus);
  expect(path[0], payment.id).toBe('pending');
  expect(path.at(-1), payment.id).toBe(payment.status);
  expect(events.at(-1)?.data.captured_amount_minor, payment.id).toBe(payment.captured_amount);
  for (const [index, { type, data }] of events.entries()) {
    const from = path[index - 1];
    if (from === data.status) expect(noMoves, `${payment.id}: ${type}`).toContain(type);
    else expect(type, payment.id).toBe(`payment.${data.status}`);
    if (from !== undefined && from !== data.status) {
      expect(canMove(from, data.status as PaymentStatus), `${payment.id}: ${path.join(' → ')}`).toBe(true);
    }
  }
}

function expectStoryOfMovement(movement: MovementRow, events: readonly EventRow[]): void {
  expectSequence(movement.id, movement.version, events);
  const path = events.map((event) => event.data.status as MovementState);
  expect(path[0], movement.id).toBe('pending');
  expect(path.at(-1), movement.id).toBe(movement.state);
  for (const [index, { type, data }] of events.entries()) {
    expect(type, movement.id).toBe(`${movement.kind}.${data.status}`);
    const from = path[index - 1];
    if (from !== undefined) expect(canMoveMovement(from, data.status as MovementState), path.join(' → ')).toBe(true);
  }
}

function expectSequence(id: string, version: number, events: readonly EventRow[]): void {
  const versions = Array.from({ length: version }, (_, index) => index + 1);
  expect(
    events.map((event) => event.sequence),
    id,
  ).toEqual(versions);
}

/** One entry per event: who, from what to what. */
function expectAudit(id: string, events: readonly EventRow[], audit: readonly AuditRow[]): void {
  expect(audit, id).toHaveLength(events.length);
  for (const [index, event] of events.entries()) {
    const from = events[index - 1]?.data.status ?? null;
    const entry = audit.find((one) => one.event_id === event.id);
    const told = { from_status: from, to_status: event.data.status, actor: expect.stringMatching(/./) };
    expect(entry, `${id}: audit of event ${event.sequence}`).toMatchObject(told);
  }
}
