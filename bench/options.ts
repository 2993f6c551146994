import { parseArgs } from 'node:util';

/**
 * What can be measured: payments and what they bring with them, what moves their money afterwards, batches and payments beside
 * them, what it costs to know who calls, reads, and how payments and reads fare when there is much stored.
 */
export const paymentKinds = ['floor', 'payment', 'webhook', 'mail', 'both'] as const;
export const movementKinds = ['capture', 'void', 'refund'] as const;
export const batchKinds = ['batch', 'beside'] as const;
export const listKinds = ['list', 'list-status', 'list-customer'] as const;
export const accessKinds = ['open', 'known'] as const;
export const readKinds = ['read', ...listKinds, 'events'] as const;
const selectable = [...paymentKinds, ...movementKinds, ...batchKinds, ...accessKinds, ...readKinds, 'growth'] as const;

export type PaymentKind = (typeof paymentKinds)[number];
export type MovementKind = (typeof movementKinds)[number];
export type AccessKind = (typeof accessKinds)[number];
export type ReadKind = (typeof readKinds)[number];
type Selectable = (typeof selectable)[number];

/** The page's chapters: what one of them shows comes from one run. */
export const chapters = ['payments', 'movements', 'batches', 'access', 'stored', 'against'] as const;
export type Chapter = (typeof chapters)[number];

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
  /** The rows of a batch's file, and the payments that somebody waits for while a batch runs, and while none does. */
  readonly batches: { readonly rows: number; readonly beside: Dose };
  /** Requests that read nothing, with a key and without. */
  readonly access: readonly Dose[];
  readonly reads: Dose;
  /** Of payments of another version and ours; more rounds than elsewhere, as small differences count. */
  readonly against: { readonly rounds: number; readonly warmUps: number; readonly doses: readonly Dose[] };
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

/** A quick run shows that everything works; only a full one measures. */
function planFor(isQuick: boolean): Plan {
  const either = <Value>(full: Value, quick: Value) => (isQuick ? quick : full);
  const atATime = (full: number, quick: number): Dose => ({ clients: 24, requests: either(full, quick) });
  const alone = { clients: 1, requests: either(120, 10) };
  return {
    rounds: either(3, 1),
    warmUps: either(300, 24),
    alone,
    together: atATime(800, 72),
    batches: { rows: either(2_000, 100), beside: { clients: 4, requests: either(200, 20) } },
    access: [{ clients: 1, requests: either(2_000, 100) }, atATime(4_000, 240)],
    reads: atATime(2_000, 240),
    against: { rounds: either(5, 1), warmUps: either(300, 24), doses: [alone, atATime(500, 72)] },
    growth: {
      sizes: either([1_000, 10_000, 100_000], [1_000, 3_000]),
      warmUps: either(700, 48),
      payments: atATime(300, 72),
      lists: atATime(1_000, 120),
    },
  };
}

export interface Options {
  readonly plan: Plan;
  readonly isQuick: boolean;
  /** The chapters that go into the page in docs/: those of which nothing is left out. */
  readonly writes: readonly Chapter[];
  /** Whether this kind was asked for; all are when nothing is named. */
  readonly wants: (kind: Selectable) => boolean;
  /** The other version that payments are to be held against: a commit, or a folder. */
  readonly against: string | null;
}

/** Reads the command line. Throws a message for the person who wrote it. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      against: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
    },
  });
  const only = values.only.flatMap((list) => list.split(','));
  const unknown = only.filter((kind) => !selectable.some((known) => known === kind));
  if (unknown.length > 0)
    throw new Error(`There is no kind ${unknown.join(', ')}. --only takes ${selectable.join(', ')}.`);
  const against = values.against ?? null;
  const wants = (kind: Selectable) => (only.length === 0 && against === null) || only.includes(kind);
  const writes = values['write-docs'] && !values.quick ? wholeChapters(wants, against !== null) : [];
  if (values['write-docs'] && writes.length === 0)
    throw new Error(
      'The page in docs/ shows whole chapters of full runs only: leave out --quick and --only, or --write-docs.',
    );
  return { plan: planFor(values.quick), isQuick: values.quick, writes, wants, against };
}

function wholeChapters(wants: Options['wants'], hasAgainst: boolean): Chapter[] {
  const isWhole: Readonly<Record<Chapter, boolean>> = {
    payments: paymentKinds.every((kind) => kind === 'floor' || wants(kind)),
    movements: movementKinds.every(wants),
    batches: batchKinds.every(wants),
    access: accessKinds.every(wants),
    stored: [...readKinds, 'growth' as const].every(wants),
    against: hasAgainst,
  };
  return chapters.filter((chapter) => isWhole[chapter]);
}
