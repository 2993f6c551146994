import type fc from 'fast-check';
import type { Operation } from './document.ts';
import type { Draft } from './draft.ts';
import type { Ground } from './ground.ts';

/** One way to spoil a valid request, or to leave it as it is. */
export interface Mutation {
  readonly name: string;
  /** Whether it can do anything to requests for this operation. */
  fits(operation: Operation, ground: Ground): boolean;
  change(draft: Draft, operation: Operation, ground: Ground): fc.Arbitrary<Draft>;
  /** How often it comes where others come once, because there are so many places for it; once if absent. */
  weight?(operation: Operation): number;
  /** The only statuses that may answer it, where that does not depend on what was drawn. */
  readonly answers?: readonly number[];
}
