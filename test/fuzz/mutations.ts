import fc from 'fast-check';
import { addressMutations } from './address-mutations.ts';
import { bodyMutations } from './body-mutations.ts';
import type { Operation } from './document.ts';
import type { Ground } from './ground.ts';
import { headerMutations } from './header-mutations.ts';
import type { Mutation } from './mutation.ts';

const none: Mutation = { name: 'nothing', fits: () => true, change: (draft) => fc.constant(draft) };

const spoiling: readonly Mutation[] = [...bodyMutations, ...addressMutations, ...headerMutations];

/** For so many requests that are spoiled there is one that is not. */
const spoiledPerValid = 3;

/** What to do to requests for this operation: each kind of damage by its weight, and nothing as often as its share wants. */
export function mutationsOf(operation: Operation, ground: Ground): Mutation[] {
  const fitting = spoiling
    .filter((mutation) => mutation.fits(operation, ground))
    .flatMap((mutation) => Array.from({ length: mutation.weight?.(operation) ?? 1 }, () => mutation));
  const valid = Array.from({ length: Math.ceil(fitting.length / spoiledPerValid) }, () => none);
  return [...valid, ...fitting];
}
