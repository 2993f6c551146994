import { expect } from 'vitest';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { MovementKind, MovementState } from '../../workflows/domain/movement.ts';
import { isFinal, type PaymentStatus, projectedStatus } from '../../workflows/domain/payment-status.ts';
import type { Movement } from './bank.ts';
import type { World } from './world.ts';

/** A payment's row, as the invariants read it. */
export interface PaymentRow {
  readonly id: string;
  readonly merchant_id: string;
  readonly status: PaymentStatus;
  readonly version: number;
  readonly amount: string;
  readonly authorized_amount: string;
  readonly captured_amount: string;
  readonly voided_amount: string;
  readonly refunded_amount: string;
  readonly refund_reserved_amount: string;
  readonly refund_count: number;
  readonly capture_method: string;
  readonly currency: string;
  readonly open_attempt_id: string | null;
  readonly open_movement_id: string | null;
}

/** A capture, void or refund, as the invariants read it. */
export interface MovementRow {
  readonly id: string;
  readonly payment_id: string;
  readonly kind: MovementKind;
  readonly state: MovementState;
  readonly version: number;
  readonly amount: string;
  readonly currency: string;
}

/** What was sent for a payment or a movement. */
export interface AttemptRow {
  readonly id: string;
  readonly payment_id: string;
  readonly movement_id: string | null;
  readonly operation: string;
  readonly number: number;
  readonly state: string;
}

/** A posting. */
export interface PostingRow {
  readonly event_id: string;
  readonly account: string;
  readonly payment_id: string;
  readonly currency: string;
  readonly amount: string;
}

/** Everything about one payment's money. */
export interface PaymentMoney {
  readonly payment: PaymentRow;
  readonly movements: readonly MovementRow[];
  readonly attempts: readonly AttemptRow[];
  readonly postings: readonly PostingRow[];
  /** The bank's, by our reference. */
  readonly bank: ReadonlyMap<string, readonly Movement[]>;
}

/** Whether nothing more can happen to a payment by itself. */
export function isSettled(payment: PaymentRow): boolean {
  const left = BigInt(payment.authorized_amount) - BigInt(payment.captured_amount) - BigInt(payment.voided_amount);
  return isFinal(payment.status) && payment.open_movement_id === null && left === 0n;
}

/** The charge and each movement moved money at most once, under their own keys, and the amounts of the row are their sums. */
export function expectMoney(money: PaymentMoney): void {
  expectCharge(money);
  for (const movement of money.movements) expectMovement(movement, money);
  expectAmounts(money);
  expectPostings(money);
}

function expectCharge({ payment, attempts, bank, movements }: PaymentMoney): void {
  const what = `${payment.id}, ${payment.status}`;
  expect(payment.status, `${what}: at rest`).not.toBe('pending');
  const charges = (bank.get(payment.id) ?? []).filter(({ kind }) => kind !== 'void'); // PayPal's voids name the payment
  expect(charges.length, `${what}: charges at the bank`).toBeLessThanOrEqual(1);
  const isOpen = payment.open_attempt_id !== null;
  const isCharged = payment.authorized_amount !== '0';
  const isLateReservation = payment.status === 'canceled' && movements.some(({ kind }) => kind === 'void');
  if (!isOpen && !isLateReservation) expect(charges.length, `${what}: charges at the bank`).toBe(isCharged ? 1 : 0);
  for (const charge of charges) {
    const own = attempts.find(({ id }) => id === charge.idempotency_key);
    expect(charge.idempotency_key, what).toBe(attemptIdOf(payment.id, 'charge', own?.number ?? 0));
    expect([charge.amount_minor, charge.currency], what).toEqual([payment.amount, payment.currency]);
    expect(charge.kind, what).toBe(payment.capture_method === 'manual' ? 'authorize' : 'charge');
  }
  const chargeAttempts = attempts.filter(({ operation }) => operation === 'charge');
  const approved = chargeAttempts.filter(({ state }) => state === 'approved').length;
  if (!isOpen) expect(approved, `${what}: approved attempts`).toBe(isCharged ? 1 : 0);
  if (isSettled(payment)) {
    expect(payment.open_attempt_id, what).toBeNull();
    for (const { state } of chargeAttempts) expect(['sent', 'unknown', 'requires_action'], what).not.toContain(state);
  }
}

function expectMovement(movement: MovementRow, { payment, bank }: PaymentMoney): void {
  const { id, kind, state, amount } = movement;
  const what = `${kind} ${id} of ${payment.id}, ${state}`;
  const key = attemptIdOf(id, kind, 1);
  const moved = [...(bank.get(id) ?? []), ...(bank.get(payment.id) ?? [])].filter((one) => one.idempotency_key === key);
  expect(state, `${what}: at rest`).not.toBe('pending');
  expect(moved.length, `${what}: movements at the bank`).toBeLessThanOrEqual(1);
  if (state === 'failed') expect(moved, what).toEqual([]);
  if (state === 'succeeded' && amount !== '0') expect(moved.length, `${what}: movements at the bank`).toBe(1);
  for (const one of moved) {
    if (amount !== '0')
      expect([one.kind, one.amount_minor, one.currency], what).toEqual([kind, amount, payment.currency]);
  }
}

function expectAmounts({ payment, movements }: PaymentMoney): void {
  const sum = (kind: MovementKind, ...states: MovementState[]) =>
    movements
      .filter((movement) => movement.kind === kind && states.includes(movement.state))
      .reduce((total, { amount }) => total + BigInt(amount), 0n);
  const authorized = BigInt(payment.authorized_amount);
  const captured = BigInt(payment.captured_amount);
  const what = `${payment.id}, ${payment.status}`;
  expect(captured, `${what}: captured`).toBe(
    payment.capture_method === 'manual' ? sum('capture', 'succeeded') : authorized,
  );
  expect(BigInt(payment.voided_amount), `${what}: voided`).toBe(sum('void', 'succeeded'));
  const refunded = sum('refund', 'succeeded');
  expect(BigInt(payment.refunded_amount), `${what}: refunded`).toBe(refunded);
  expect(BigInt(payment.refund_reserved_amount), `${what}: reserved for refunds`).toBe(
    refunded + sum('refund', 'pending', 'unresolved'),
  );
  expect(payment.refund_count, `${what}: refunds`).toBe(
    movements.filter(({ kind, state }) => kind === 'refund' && state === 'succeeded').length,
  );
  if (authorized === 0n || payment.status === 'unresolved') return;
  const voided = BigInt(payment.voided_amount);
  expect(payment.status, what).toBe(projectedStatus({ authorized, captured, voided, refunded }));
}

function expectPostings({ payment, postings }: PaymentMoney): void {
  const sumOf = (account: (name: string) => boolean) =>
    postings.filter((posting) => account(posting.account)).reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  const kept = BigInt(payment.captured_amount) - BigInt(payment.refunded_amount);
  expect(
    sumOf((name) => name.startsWith('receivable.')),
    `${payment.id}: the ledger's receivable`,
  ).toBe(kept);
  const underWay = BigInt(payment.refund_reserved_amount) - BigInt(payment.refunded_amount);
  expect(
    sumOf((name) => name === 'refunds'),
    `${payment.id}: the ledger's refunds under way`,
  ).toBe(-underWay);
}

/** The postings of any event sum to zero, in one currency. */
export function expectBalanced(postings: readonly PostingRow[]): void {
  for (const [eventId, own] of Map.groupBy(postings, (posting) => posting.event_id)) {
    expect(
      own.reduce((sum, { amount }) => sum + BigInt(amount), 0n),
      `postings of ${eventId}`,
    ).toBe(0n);
    expect(new Set(own.map(({ currency }) => currency)).size, `currencies of ${eventId}`).toBe(1);
  }
}

/** The bank's accounts sum to zero; per currency the merchants have what we say was captured and not refunded. */
export async function expectConservation(world: World, moneys: readonly PaymentMoney[]): Promise<void> {
  const sums = new Map<string, bigint>();
  const taken = new Map<string, bigint>();
  for (const { id, currency, balance_minor } of await world.bank.accounts()) {
    sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(balance_minor));
    if (id.startsWith('merchants_')) taken.set(currency, BigInt(balance_minor));
  }
  for (const [currency, sum] of sums) expect(sum, currency).toBe(0n);
  const ours = new Map<string, bigint>([...taken.keys()].map((currency) => [currency, 0n]));
  const add = (currency: string, amount: bigint) => ours.set(currency, (ours.get(currency) ?? 0n) + amount);
  for (const { payment, movements, bank } of moneys) {
    add(payment.currency, BigInt(payment.captured_amount) - BigInt(payment.refunded_amount));
    const open = [
      ...(payment.open_attempt_id === null ? [] : [payment.id]),
      ...movements.filter(({ state }) => state === 'unresolved').map(({ id }) => id),
    ];
    // What nobody could learn yet may have happened: there the bank's word counts.
    for (const movement of open.flatMap((reference) => bank.get(reference) ?? [])) {
      const amount = BigInt(movement.amount_minor);
      if (movement.kind === 'charge' || movement.kind === 'capture') add(payment.currency, amount);
      if (movement.kind === 'refund') add(payment.currency, -amount);
    }
  }
  for (const [currency, sum] of ours)
    expect(sum, `${currency}: taken by us and by the bank`).toBe(taken.get(currency) ?? 0n);
}
