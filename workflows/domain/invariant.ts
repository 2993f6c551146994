/** A rule that the program itself must never break is broken: a defect, not an outcome. */
export class BrokenInvariant extends Error {
  override readonly name = 'BrokenInvariant';
}

/**
 * Asserts a rule that no input may break. In a workflow the throw parks the task until a fixed deploy; in an activity
 * it becomes a failure that is not retried.
 */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BrokenInvariant(message);
}
