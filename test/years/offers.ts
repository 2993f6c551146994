import type { Zone } from './calendar.ts';
import type { Chance } from './chance.ts';
import type { Card, FinalAction, Ladder, Offer } from './life.ts';

const offer = (unit: Offer['unit'], count: number, more: Partial<Offer> = {}): Omit<Offer, 'amount' | 'name'> => ({
  unit,
  count,
  trialDays: 0,
  signUpFee: 0n,
  cycles: null,
  ...more,
});

/** Every unit, several counts, and each with what else an offer may have; the first eight are what a short run has. */
const shapes = [
  offer('month', 1),
  offer('week', 3),
  offer('day', 15, { trialDays: 14 }),
  offer('month', 3, { signUpFee: 1999n }),
  offer('year', 1, { trialDays: 30, signUpFee: 4900n }),
  offer('month', 2, { cycles: 5 }),
  offer('day', 30),
  offer('month', 1, { trialDays: 7 }),
  offer('week', 1),
  offer('week', 2, { cycles: 20, signUpFee: 500n }),
  offer('day', 1, { cycles: 40 }),
  offer('day', 7, { trialDays: 3 }),
  offer('month', 13),
  offer('year', 2),
  offer('month', 1, { cycles: 12, trialDays: 10, signUpFee: 1n }),
  offer('month', 6),
];

/** All offers of a merchant: of every shape a small and a large one, which differ in price alone. */
export const offers: readonly Offer[] = shapes.flatMap((shape, index) => {
  const name = `every ${shape.count} ${shape.unit}, number ${index}`;
  return [
    { ...shape, name: `${name}, small`, amount: BigInt(499 + 101 * index) },
    { ...shape, name: `${name}, large`, amount: BigInt(2_503 + 333 * index) },
  ];
});

/** The offer that the subscription of this number begins with. */
export function offerOf(number: number): Offer {
  const found = offers[(number % shapes.length) * 2];
  if (found === undefined) throw new Error('there is an offer of each shape');
  return found;
}

/** What a subscription may be changed to: where cycles are counted, nothing but its quantity changes. */
export function otherOffers({
  offer: has,
  cyclesTotal,
}: {
  readonly offer: Offer;
  readonly cyclesTotal: number | null;
}) {
  if (cyclesTotal !== null) return [has];
  const endless = offers.filter(({ cycles }) => cycles === null);
  const sameLength = endless.filter(({ unit, count }) => unit === has.unit && count === has.count);
  return [...sameLength, ...sameLength, ...sameLength, ...offers];
}

export const zones: readonly Zone[] = ['Europe/Berlin', 'UTC', 'America/New_York'];

/** The test tokens of the cards. */
const tokens: Readonly<Record<Card, readonly string[]>> = {
  approves: ['tok_visa_4242', 'tok_mastercard_5454', 'tok_amex_0005'],
  declines: ['tok_visa_insufficient_9995', 'tok_visa_limit_0061', 'tok_visa_issuer_away_0091'],
  declines_for_good: ['tok_visa_declined_0002', 'tok_visa_lost_9987', 'tok_visa_expired_0069'],
};

/** A token of a card that behaves so. */
export function tokenOf(card: Card, chance: Chance): string {
  return chance.oneOf(tokens[card]);
}

const finalActions: readonly FinalAction[] = ['cancel', 'unpaid', 'pause'];

/** What the merchants do about declined charges; one merchant for each final action. */
export const ladders: readonly Ladder[] = finalActions.map((finalAction, index) => ({
  retryDays: [[1, 3, 5, 7], [2, 4], [3]][index] ?? [],
  graceDays: [3, 10, 0][index] ?? 0,
  finalAction,
}));
