import fc from 'fast-check';
import type { Card } from './model.ts';

/** The currencies of the sequences with the number of their decimals: none, the usual, and more of them. */
export const exponents = { JPY: 0, USD: 2, KWD: 3, CLF: 4 } as const;
type Currency = keyof typeof exponents;

/** How much of what is left: relative, so that a command means something whatever came before it. */
export type Share = 'unnamed' | 'all' | 'too much' | 'the least' | { readonly permille: number };

/** How many seconds a request waits for the outcome; null: it does not. */
export type Wait = number | null;

/** What is done to a payment. What cannot be done to it now is asked for all the same. */
export type Command =
  | { readonly kind: 'capture' | 'refund'; readonly share: Share; readonly wait: Wait }
  | { readonly kind: 'cancel'; readonly wait: Wait }
  | { readonly kind: 'payer'; readonly approves: boolean; readonly comesBack: boolean }
  | { readonly kind: 'repeat'; readonly back: number; readonly isOther: boolean; readonly wait: Wait }
  | { readonly kind: 'event'; readonly trick: EventTrick }
  | { readonly kind: 'resolve'; readonly fits: boolean };

/** What every run has some of. */
export const commandKinds = [
  'capture',
  'refund',
  'cancel',
  'payer',
  'repeat',
  'event',
  'resolve',
] as const satisfies readonly Command['kind'][];

/** What befalls the provider's events: sent twice, backwards, by somebody else, too late, or saying what is not so. */
export const eventTricks = ['twice', 'backwards', 'forged', 'stale', 'untrue'] as const;
export type EventTrick = (typeof eventTricks)[number];

/** What is done at the same time; if it `rests`, nothing is done then until all of it is over. */
interface Turn {
  readonly commands: readonly Command[];
  readonly rests: boolean;
}

/** A payment, and what is done to it. */
export interface Sequence {
  readonly card: Card;
  readonly isManual: boolean;
  readonly currency: Currency;
  /** Minor units. */
  readonly amount: bigint;
  readonly rounds: number;
  readonly isShort: boolean;
  readonly wait: Wait;
  readonly rests: boolean;
  readonly turns: readonly Turn[];
}

const waits: fc.Arbitrary<Wait> = fc.constantFrom(20, 20, 1, null);

const shares: fc.Arbitrary<Share> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ permille: fc.integer({ min: 1, max: 999 }) }) },
  { weight: 3, arbitrary: fc.constantFrom<Share>('unnamed', 'all') },
  { weight: 2, arbitrary: fc.constantFrom<Share>('too much', 'the least') },
);

const capture = fc.record({ kind: fc.constant('capture' as const), share: shares, wait: waits });
const refund = fc.record({ kind: fc.constant('refund' as const), share: shares, wait: waits });
const cancel = fc.record({ kind: fc.constant('cancel' as const), wait: waits });
const payer = fc.record({ kind: fc.constant('payer' as const), approves: fc.boolean(), comesBack: fc.boolean() });
const event = fc.record({ kind: fc.constant('event' as const), trick: fc.constantFrom(...eventTricks) });
const resolve = fc.record({ kind: fc.constant('resolve' as const), fits: fc.boolean() });
const repeatOf = (isOther: fc.Arbitrary<boolean>) =>
  fc.record({ kind: fc.constant('repeat' as const), back: fc.nat(6), isOther, wait: waits });

/** Another body is sent alone: which of two bodies comes first under one key is nothing that the answers tell. */
const togetherCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: capture },
  { weight: 4, arbitrary: refund },
  { weight: 1, arbitrary: cancel },
  { weight: 1, arbitrary: payer },
  { weight: 2, arbitrary: repeatOf(fc.constant(false)) },
);
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: togetherCommand },
  { weight: 1, arbitrary: repeatOf(fc.constant(true)) },
  { weight: 2, arbitrary: event },
  { weight: 1, arbitrary: resolve },
);

const turnOf = (commands: fc.Arbitrary<readonly Command[]>): fc.Arbitrary<Turn> =>
  fc.record({ commands, rests: fc.boolean() });
const refundsTogether = turnOf(fc.array(refund, { minLength: 2, maxLength: 5 }));
const moreThanHalf = fc.integer({ min: 501, max: 999 });
/** Each of more than half: one at most may be taken, unless the provider declines it. */
const refundsTooManyTogether = turnOf(
  fc.array(
    fc.record({ kind: fc.constant('refund' as const), share: fc.record({ permille: moreThanHalf }), wait: waits }),
    { minLength: 2, maxLength: 5 },
  ),
);
const captureAgainstCancel = turnOf(fc.tuple(capture, cancel));
const mixedTogether = turnOf(fc.array(togetherCommand, { minLength: 2, maxLength: 4 }));
const alone = turnOf(anyCommand.map((command) => [command]));

const turn: fc.Arbitrary<Turn> = fc.oneof(
  { weight: 8, arbitrary: alone },
  { weight: 2, arbitrary: refundsTogether },
  { weight: 1, arbitrary: captureAgainstCancel },
  { weight: 3, arbitrary: mixedTogether },
);

const cards: readonly Card[] = [
  'approves',
  'challenges',
  'takes its time',
  'declines refunds',
  'approves the second time',
  'takes its time with refunds',
  'declines captures',
  'approves the third time',
  'approves',
  'takes its time with captures',
  'approves',
  'declines',
];

/** How a sequence begins, on a payment that this can happen to. */
interface Start {
  /** `round` counts how often this beginning had its turn before. */
  readonly turns: (round: number) => readonly fc.Arbitrary<Turn>[];
  readonly cards?: readonly Card[];
  readonly isManual?: boolean;
  readonly rests?: boolean;
}

const only = (command: fc.Arbitrary<Command>) => turnOf(command.map((one) => [one]));
const nth = <T>(all: readonly T[], index: number) => all[index % all.length] as T;
const trickOf = (round: number) => event.map((one) => ({ ...one, trick: nth(eventTricks, round) }));
const answerOf = (round: number) => payer.map((one) => ({ ...one, approves: round % 2 === 0 }));
const refundable: readonly Card[] = ['approves', 'takes its time with refunds', 'declines refunds'];

/** Beginnings that a run takes in turn, so that even a short one has some of everything. */
const starts: readonly Start[] = [
  { turns: () => [only(capture), refundsTogether], isManual: true },
  { turns: () => [refundsTooManyTogether], cards: refundable, isManual: false, rests: true },
  { turns: (round) => [only(answerOf(round))], cards: ['challenges'], rests: true },
  { turns: () => [captureAgainstCancel], isManual: true },
  { turns: () => [only(repeatOf(fc.boolean()))] },
  { turns: (round) => [only(trickOf(round))] },
  { turns: () => [only(capture), only(capture), only(cancel)], isManual: true },
  { turns: () => [only(resolve)] },
  { turns: () => [] },
];

/** Tiny ones, usual ones, and large ones that are short enough to be no card number. */
const amounts = fc.oneof(
  { weight: 1, arbitrary: fc.bigInt(1n, 5n) },
  { weight: 4, arbitrary: fc.bigInt(100n, 500_000n) },
  { weight: 1, arbitrary: fc.bigInt(10n ** 10n, 10n ** 11n - 1n) },
);

const mostly = (value: boolean, weight = 2) =>
  fc.oneof({ weight, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: fc.constant(!value) });

/** So many turns at most behind the beginning. */
const turnsMax = 5;

/** The sequences that may be played as number `index` of a run. */
export function sequencesAt(index: number): fc.Arbitrary<Sequence> {
  const round = Math.floor(index / starts.length);
  const start = nth(starts, index);
  const given = <T>(value: T | undefined, otherwise: fc.Arbitrary<T>) =>
    value === undefined ? otherwise : fc.constant(value);
  return fc
    .record({
      card: fc.constant(nth(start.cards ?? cards, index + round)),
      isManual: given(start.isManual, mostly(true)),
      currency: fc.constantFrom<Currency>('USD', 'JPY', 'KWD', 'CLF'),
      amount: amounts,
      rounds: fc.constantFrom(3, 2, 1),
      isShort: mostly(false, 6),
      wait: waits,
      rests: given(start.rests, fc.boolean()),
      first: fc.tuple(...start.turns(round)),
      others: fc.array(turn, { maxLength: turnsMax }),
    })
    .map(({ first, others, ...payment }) => ({ ...payment, turns: [...first, ...others] }));
}

/** A sequence on one line, for people; its parts in the order in which they happen. */
export function describeSequence(sequence: Sequence): string {
  const { turns, amount, ...payment } = sequence;
  return JSON.stringify({ ...payment, amount: amount.toString(), turns });
}
