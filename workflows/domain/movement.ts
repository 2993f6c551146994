/** When a charge takes the money: at once, or in captures after the provider has reserved it. */
export type CaptureMethod = 'automatic' | 'manual';

/** What moves money after the charge. */
export const movementKinds = ['capture', 'void', 'refund'] as const;

export type MovementKind = (typeof movementKinds)[number];

/** The states of a movement; the last word on an `unresolved` one is a person's, or a late one of the provider's. */
export const movementStates = ['pending', 'succeeded', 'failed', 'unresolved'] as const;

export type MovementState = (typeof movementStates)[number];

/** Every allowed move. The database holds the same table (`movement_transitions`); a test compares the two. */
export const movementTransitions: Readonly<Record<MovementState, readonly MovementState[]>> = {
  pending: ['succeeded', 'failed', 'unresolved'],
  succeeded: [],
  failed: [],
  unresolved: ['succeeded', 'failed'],
};

/** Whether a movement may go from one state to the other. Staying where it is, is not a move: false. */
export function canMoveMovement(from: MovementState, to: MovementState): boolean {
  return movementTransitions[from].includes(to);
}

/** Whether nothing more happens to a movement in this state. */
export function isMovementOver(state: MovementState): boolean {
  return movementTransitions[state].length === 0;
}
