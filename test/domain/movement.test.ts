import { describe, expect, test } from 'vitest';
import {
  canMoveMovement,
  isMovementOver,
  type MovementState,
  movementKinds,
  movementStates,
  movementTransitions,
} from '../../workflows/domain/movement.ts';

/** The life of a capture, void or refund once more: `x` = allowed. */
const table = `
            pending succeeded failed unresolved
pending     -       x         x      x
succeeded   -       -         -      -
failed      -       -         -      -
unresolved  -       x         x      -`;

const [columns = [], ...rows] = table
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));
const allowed = new Set(
  rows.flatMap(([from, ...marks]) => marks.flatMap((mark, at) => (mark === 'x' ? [`${from} ${columns[at]}`] : []))),
);
const pairs = movementStates.flatMap((from) => movementStates.map((to): [MovementState, MovementState] => [from, to]));

describe('a movement', () => {
  test('is a capture, a void or a refund, and has the states of the table', () => {
    expect([...movementKinds]).toEqual(['capture', 'void', 'refund']);
    expect([...movementStates]).toEqual(columns);
    expect(rows.map(([from]) => from)).toEqual(columns);
    expect(Object.keys(movementTransitions)).toEqual(columns);
  });

  test.each(pairs)('that is %s may become %s only where the table says so', (from, to) => {
    expect(canMoveMovement(from, to)).toBe(allowed.has(`${from} ${to}`));
  });

  test('is over when it succeeded or failed, and from everywhere else it can come to both ends', () => {
    expect(movementStates.filter(isMovementOver)).toEqual(['succeeded', 'failed']);
    for (const state of movementStates.filter((one) => !isMovementOver(one)))
      expect(movementTransitions[state]).toEqual(expect.arrayContaining(['succeeded', 'failed']));
  });
});
