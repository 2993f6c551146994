import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canMove,
  capturableOf,
  isFinal,
  type PaymentAmounts,
  type PaymentStatus,
  paymentStatuses,
  paymentTransitions,
  projectedStatus,
} from '../../workflows/domain/payment-status.ts';

/** The life of a payment once more, row by row, as design and docs tell it: `x` = allowed. */
const table = `
                    pending requires_action held authorized captured failed canceled unresolved partially_refunded refunded
pending             -       x               x    x          x        x      x        x          -                  -
requires_action     x       -               -    x          x        x      x        x          -                  -
held                x       -               -    -          -        x      x        -          -                  -
authorized          -       -               -    -          x        -      x        x          -                  -
captured            -       -               -    -          -        -      -        x          x                  x
failed              -       -               -    -          -        -      -        -          -                  -
canceled            -       -               -    -          -        -      -        -          -                  -
unresolved          -       x               -    x          x        x      x        -          x                  x
partially_refunded  -       -               -    -          -        -      -        x          -                  x
refunded            -       -               -    -          -        -      -        x          x                  -`;

const [columns = [], ...rows] = table
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));
const allowed = new Set(
  rows.flatMap(([from, ...marks]) => marks.flatMap((mark, at) => (mark === 'x' ? [`${from} ${columns[at]}`] : []))),
);
const pairs = paymentStatuses.flatMap((from) =>
  paymentStatuses.map((to): [PaymentStatus, PaymentStatus] => [from, to]),
);

describe('a payment', () => {
  test('has the statuses of the table', () => {
    expect([...paymentStatuses]).toEqual(columns);
    expect(rows.map(([from]) => from)).toEqual(columns);
    expect(Object.keys(paymentTransitions)).toEqual(columns);
  });

  test.each(pairs)('that is %s may become %s only where the table says so', (from, to) => {
    expect(canMove(from, to)).toBe(allowed.has(`${from} ${to}`));
  });

  test('never stays where it is by moving', () => {
    expect(paymentStatuses.filter((status) => canMove(status, status))).toEqual([]);
  });

  test('can reach every status from pending', () => {
    const reached = new Set<PaymentStatus>(['pending']);
    for (const status of reached) for (const next of paymentTransitions[status]) reached.add(next);
    expect([...reached].toSorted()).toEqual([...paymentStatuses].toSorted());
  });

  test('can always come to an end', () => {
    for (const status of paymentStatuses) {
      const reached = new Set<PaymentStatus>([status]);
      for (const one of reached) for (const next of paymentTransitions[one]) reached.add(next);
      expect([status, [...reached].some(isFinal)]).toEqual([status, true]);
    }
  });

  test('whose charge is decided leaves that only while a capture or void is in doubt, and is never undecided again', () => {
    const undone: readonly PaymentStatus[] = ['pending', 'requires_action', 'held', 'authorized', 'failed', 'canceled'];
    for (const [from, to] of pairs)
      if (isFinal(from) && canMove(from, to)) expect([from, to, undone.includes(to)]).toEqual([from, to, false]);
  });

  test('that failed or was canceled never moves again', () => {
    expect([paymentTransitions.failed, paymentTransitions.canceled]).toEqual([[], []]);
  });

  test('is decided once it failed, was canceled, or took money', () => {
    const decided = ['captured', 'failed', 'canceled', 'partially_refunded', 'refunded'];
    expect(paymentStatuses.filter(isFinal)).toEqual(decided);
  });
});

/** What a payment of at most 5 minor units may have: every way in which its amounts can stand. */
const some = [0n, 1n, 2n, 3n, 4n, 5n];
const everyAmounts: PaymentAmounts[] = some.flatMap((authorized) =>
  some.flatMap((captured) =>
    some.flatMap((voided) =>
      some
        .map((refunded) => ({ authorized, captured, voided, refunded }))
        .filter((one) => one.captured + one.voided <= one.authorized && one.refunded <= one.captured),
    ),
  ),
);

describe('what amounts say about a status', () => {
  test.each<[PaymentStatus, bigint, bigint, bigint, bigint]>([
    ['authorized', 10n, 0n, 0n, 0n],
    ['authorized', 10n, 0n, 4n, 0n],
    ['canceled', 10n, 0n, 10n, 0n],
    ['canceled', 0n, 0n, 0n, 0n],
    ['captured', 10n, 10n, 0n, 0n],
    ['captured', 10n, 1n, 0n, 0n],
    ['captured', 10n, 1n, 9n, 0n],
    ['partially_refunded', 10n, 10n, 0n, 1n],
    ['partially_refunded', 10n, 10n, 0n, 9n],
    ['partially_refunded', 10n, 5n, 5n, 4n],
    ['refunded', 10n, 10n, 0n, 10n],
    ['refunded', 10n, 4n, 0n, 4n],
    ['refunded', 10n, 4n, 6n, 4n],
  ])('%s: of %i authorized %i captured, %i voided, %i refunded', (status, authorized, captured, voided, refunded) => {
    expect(projectedStatus({ authorized, captured, voided, refunded })).toBe(status);
  });

  test('what may still be captured is what is neither captured nor voided, whatever was refunded', () => {
    for (const amounts of everyAmounts) {
      const { authorized, captured, voided } = amounts;
      expect(capturableOf(amounts) + captured + voided).toBe(authorized);
      expect(capturableOf(amounts)).toBeGreaterThanOrEqual(0n);
    }
  });

  /** A capture, void or refund of one to all that is left: what it makes of the amounts. */
  function after(amounts: PaymentAmounts): PaymentAmounts[] {
    const capturable = capturableOf(amounts);
    const refundable = amounts.captured - amounts.refunded;
    const steps = some.filter((amount) => amount > 0n);
    return [
      ...steps.filter((one) => one <= capturable).map((one) => ({ ...amounts, captured: amounts.captured + one })),
      ...(capturable > 0n ? [{ ...amounts, voided: amounts.voided + capturable }] : []),
      ...steps.filter((one) => one <= refundable).map((one) => ({ ...amounts, refunded: amounts.refunded + one })),
    ];
  }

  test('changes with each capture, void and refund along the table, also by way of unresolved', () => {
    for (const amounts of everyAmounts) {
      for (const next of after(amounts)) {
        const [from, to] = [projectedStatus(amounts), projectedStatus(next)];
        const about = `${from} → ${to}`;
        if (from !== to) expect([about, canMove(from, to)]).toEqual([about, true]);
        expect([about, canMove(from, 'unresolved'), canMove('unresolved', to)]).toEqual([about, true, true]);
      }
    }
  });

  // A failing property prints its seed and its smallest counterexample.
  test('is one word for each way to stand, with amounts of any size', () => {
    const amount = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(amount, amount, amount, (one, two, three) => {
        const [refunded = 0n, captured = 0n, authorized = 0n] = [one, two, three].toSorted((a, b) => (a < b ? -1 : 1));
        const open = projectedStatus({ authorized, captured, voided: 0n, refunded });
        const closed = projectedStatus({ authorized, captured, voided: authorized - captured, refunded });
        if (captured > 0n) expect(closed).toBe(open);
        else expect([open, closed]).toEqual([authorized > 0n ? 'authorized' : 'canceled', 'canceled']);
        if (captured > 0n && refunded > 0n)
          expect(open).toBe(refunded === captured ? 'refunded' : 'partially_refunded');
      }),
    );
  });
});
