import { describe, expect, test } from 'vitest';
import {
  canMove,
  isFinal,
  openStatuses,
  type PaymentStatus,
  paymentStatuses,
  paymentTransitions,
} from '../../workflows/domain/payment-status.ts';

/** The life of a payment once more, row by row, as design and docs tell it: `x` = allowed. */
const table = `
                    pending requires_action held authorized captured failed canceled unresolved partially_refunded refunded
pending             -       x               x    x          x        x      x        x          -                  -
requires_action     x       -               -    x          x        x      x        x          -                  -
held                x       -               -    -          -        x      x        -          -                  -
authorized          -       -               -    -          x        -      x        x          x                  x
captured            -       -               -    -          -        -      -        -          x                  x
failed              -       -               -    -          -        -      -        -          -                  -
canceled            -       -               -    -          -        -      -        -          -                  -
unresolved          -       -               -    x          x        x      x        -          -                  -
partially_refunded  -       -               -    -          -        -      -        -          -                  x
refunded            -       -               -    -          -        -      -        -          -                  -`;

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
    for (const status of openStatuses) {
      const reached = new Set<PaymentStatus>([status]);
      for (const one of reached) for (const next of paymentTransitions[one]) reached.add(next);
      expect([status, [...reached].some(isFinal)]).toEqual([status, true]);
    }
  });

  test('that is final stays final, and one that failed or was canceled never moves again', () => {
    for (const [from, to] of pairs)
      if (isFinal(from) && canMove(from, to)) expect([from, to, isFinal(to)]).toEqual([from, to, true]);
    expect([paymentTransitions.failed, paymentTransitions.canceled, paymentTransitions.refunded]).toEqual([[], [], []]);
  });

  test('is either final or open', () => {
    expect(openStatuses.toSorted()).toEqual(['authorized', 'held', 'pending', 'requires_action', 'unresolved']);
    expect([...openStatuses, ...paymentStatuses.filter(isFinal)].toSorted()).toEqual([...paymentStatuses].toSorted());
  });
});
