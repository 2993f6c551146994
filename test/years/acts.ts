import type { Chance } from './chance.ts';
import type { Card, Life, Offer } from './life.ts';
import { otherOffers, tokenOf } from './offers.ts';

/** Something that a merchant does with a subscription: the call, and the same on paper. */
export interface Act {
  readonly name: string;
  readonly method: 'POST' | 'PUT' | 'DELETE';
  /** What stands behind the subscription's path. */
  readonly path: string;
  readonly body?: unknown;
  readonly onPaper: () => void;
}

/** What an act is chosen for. Instants are ms. */
interface Situation {
  readonly life: Life;
  readonly now: number;
  readonly planIdOf: (offer: Offer) => string;
  readonly chance: Chance;
}

const dayMs = 86_400_000;
const pauseMaxMs = 50 * dayMs;

/** What the merchant does at a stop; null: nothing. */
export function chooseAct(situation: Situation): Act | null {
  const { life, chance } = situation;
  switch (life.status) {
    case 'canceled':
    case 'completed':
      return null;
    case 'paused':
      if (chance.happens(0.5)) return resume(situation);
      return chance.happens(0.03) ? cancelNow(situation, true) : null;
    case 'past_due':
    case 'unpaid':
      return actOnDebt(situation);
    case 'trialing':
    case 'active':
      return actOnRunning(situation);
  }
}

function actOnDebt(situation: Situation): Act | null {
  const { life, chance } = situation;
  const roll = chance.below(100);
  if (roll < 55) return useCard(situation, 'approves');
  if (roll < 65) return useCard(situation, chance.oneOf(['declines', 'declines_for_good']));
  if (roll < 68) return cancelNow(situation, false);
  if (roll < 80 && life.status === 'past_due') return pause(situation);
  return null;
}

function actOnRunning(situation: Situation): Act | null {
  const { life, chance } = situation;
  if (life.card !== 'approves' && chance.happens(0.5)) return useCard(situation, 'approves');
  const roll = chance.below(100);
  if (roll < 12) return pause(situation);
  if (roll < 26) return change(situation);
  if (roll < 34) return useCard(situation, 'declines');
  if (roll < 38) return useCard(situation, 'declines_for_good');
  if (life.endsWithPeriod) return roll < 70 ? goOnAfterAll(situation) : null;
  if (roll < 40) return cancelWithPeriod(situation);
  return roll < 42 ? cancelNow(situation, true) : null;
}

function useCard({ life, chance }: Situation, card: Card): Act {
  const body = { payment_method: { type: 'credit_card', card_token: tokenOf(card, chance) } };
  const onPaper = () => life.useCard(card);
  return { name: `card that ${card.replaceAll('_', ' ')}`, method: 'PUT', path: '', body, onPaper };
}

function pause({ life, now, chance }: Situation): Act {
  const resumesAt = chance.happens(0.5) ? now + dayMs + chance.below(pauseMaxMs) : null;
  const shifts = chance.happens(0.5);
  const anchor = shifts ? 'shift' : 'keep';
  const body = { anchor, ...(resumesAt === null ? {} : { resumes_at: new Date(resumesAt).toISOString() }) };
  const name = life.status === 'past_due' ? `pause in dunning, ${anchor}` : `pause, ${anchor}`;
  return { name, method: 'POST', path: '/pause', body, onPaper: () => life.pause(resumesAt, shifts) };
}

function resume({ life, chance }: Situation): Act {
  const shifts = chance.oneOf([null, true, false]);
  const body = shifts === null ? {} : { anchor: shifts ? 'shift' : 'keep' };
  return { name: 'resume', method: 'POST', path: '/resume', body, onPaper: () => life.resume(shifts) };
}

function change({ life, planIdOf, chance }: Situation): Act | null {
  if (life.pending !== null || life.endsWithPeriod || life.next === null) return null;
  const offer = chance.oneOf(otherOffers(life));
  const quantity = 1 + chance.below(4);
  const name = offer.name === life.offer.name ? 'change of quantity' : 'change of plan';
  const body = { plan_id: planIdOf(offer), quantity };
  return { name, method: 'PUT', path: '', body, onPaper: () => life.change(offer, quantity) };
}

function cancelNow({ life }: Situation, refundsUnused: boolean): Act {
  const name = refundsUnused ? 'cancel with refund' : 'cancel';
  const path = refundsUnused ? '?refund=unused' : '';
  return { name, method: 'DELETE', path, onPaper: () => life.cancelNow(refundsUnused) };
}

function cancelWithPeriod({ life }: Situation): Act {
  const onPaper = () => life.cancelWithPeriod();
  return { name: 'cancel with the period', method: 'DELETE', path: '?when=period_end', onPaper };
}

function goOnAfterAll({ life }: Situation): Act {
  const body = { cancel_at_period_end: false };
  return { name: 'go on after all', method: 'PUT', path: '', body, onPaper: () => life.goOnAfterAll() };
}
