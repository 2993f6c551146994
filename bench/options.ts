import { parseArgs } from 'node:util';

/** What can be measured: payments and what they bring with them, reads, and how both fare when there is much stored. */
export const paymentKinds = ['floor', 'payment', 'webhook', 'mail', 'both'] as const;
export const listKinds = ['list', 'list-status', 'list-customer'] as const;
export const readKinds = ['read', ...listKinds, 'events'] as const;
const selectable = [...paymentKinds, ...readKinds, 'growth'] as const;

export type PaymentKind = (typeof paymentKinds)[number];
export type ReadKind = (typeof readKinds)[number];
type Selectable = (typeof selectable)[number];

/** How many requests at how many clients at a time. */
export interface Dose {
  readonly clients: number;
  readonly requests: number;
}

/** How much is measured. */
interface Plan {
  /** Of each kind, taken in turn, so that all kinds see the same moods of the machine. */
  readonly rounds: number;
  /** Before the first round, at many clients. */
  readonly warmUps: number;
  /** One after another: how long a payment takes. */
  readonly alone: Dose;
  /** At a time: how many payments go through. */
  readonly together: Dose;
  readonly reads: Dose;
  /**
   * Stored payments, the first being what the others are compared with. Warm-ups are stored payments too, and more of them:
   * processes that still get faster would make up for what growth costs.
   */
  readonly growth: {
    readonly sizes: readonly number[];
    readonly warmUps: number;
    readonly payments: Dose;
    readonly lists: Dose;
  };
}

const full: Plan = {
  rounds: 3,
  warmUps: 300,
  alone: { clients: 1, requests: 120 },
  together: { clients: 24, requests: 800 },
  reads: { clients: 24, requests: 2_000 },
  growth: {
    sizes: [1_000, 10_000, 100_000],
    warmUps: 700,
    payments: { clients: 24, requests: 300 },
    lists: { clients: 24, requests: 1_000 },
  },
};

const quick: Plan = {
  rounds: 1,
  warmUps: 24,
  alone: { clients: 1, requests: 10 },
  together: { clients: 24, requests: 72 },
  reads: { clients: 24, requests: 240 },
  growth: {
    sizes: [1_000, 3_000],
    warmUps: 48,
    payments: { clients: 24, requests: 72 },
    lists: { clients: 24, requests: 120 },
  },
};

export interface Options {
  readonly plan: Plan;
  readonly isQuick: boolean;
  readonly writesDocs: boolean;
  /** Whether this kind was asked for; all are when none is named. */
  readonly wants: (kind: Selectable) => boolean;
}

/** Reads the command line. Throws a message for the person who wrote it. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      'write-docs': { type: 'boolean', default: false },
    },
  });
  const only = values.only.flatMap((list) => list.split(','));
  const unknown = only.filter((kind) => !selectable.some((known) => known === kind));
  if (unknown.length > 0)
    throw new Error(`There is no kind ${unknown.join(', ')}. --only takes ${selectable.join(', ')}.`);
  if (values['write-docs'] && (values.quick || only.length > 0))
    throw new Error('The page in docs/ shows full runs only: leave out --quick and --only, or --write-docs.');
  return {
    plan: values.quick ? quick : full,
    isQuick: values.quick,
    writesDocs: values['write-docs'],
    wants: (kind) => only.length === 0 || only.includes(kind),
  };
}
