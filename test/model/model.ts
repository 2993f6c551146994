/**
 * What may become of a payment, written down a second time: from the documentation alone, with no line of the product's own
 * rules. Where time, faults or requests at the same moment leave several ways open, all of them are kept until an answer or a
 * look at the payment rules some out.
 */

/** What a card's token makes the provider do. */
export type Card =
  | 'approves'
  | 'declines'
  | 'challenges'
  | 'takes its time'
  | 'approves the second time'
  | 'approves the third time'
  | 'declines captures'
  | 'takes its time with captures'
  | 'declines refunds'
  | 'takes its time with refunds';

/** What is known of a payment before it begins. Amounts are minor units. */
export interface Facts {
  readonly amount: bigint;
  readonly isManual: boolean;
  readonly card: Card;
  /** How often it is tried in all, where a decline may pass. */
  readonly rounds: number;
  /** The payer has only seconds to act, and the merchant to capture. */
  readonly isShort: boolean;
}

/** A capture, void or refund. */
export interface Move {
  readonly kind: 'capture' | 'void' | 'refund';
  /** The idempotency key that it was asked for with; voids have their number. */
  readonly key: string;
  /** The body that it was asked for with. */
  readonly body: string;
  readonly amount: bigint;
  readonly state: 'pending' | 'succeeded' | 'failed' | 'unresolved';
}

/** One way in which a payment may stand. */
export interface Life {
  readonly charge: 'pending' | 'requires_action' | 'unresolved' | 'charged' | 'failed' | 'canceled';
  /** What the payer said where the issuer asked. */
  readonly payer: 'silent' | 'approved' | 'declined';
  /** Whether a cancellation is on its way. */
  readonly isCanceling: boolean;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly voided: bigint;
  readonly refunded: bigint;
  readonly moves: readonly Move[];
}

/** A payment that was accepted this moment. */
export const newborn: Life = {
  charge: 'pending',
  payer: 'silent',
  isCanceling: false,
  authorized: 0n,
  captured: 0n,
  voided: 0n,
  refunded: 0n,
  moves: [],
};

/** What happens without anybody asking. `isDue`: it must happen in the end, unless another due step comes before. */
interface Step {
  readonly to: Life;
  readonly isDue: boolean;
}

/** What may still be captured. */
export function capturableOf({ authorized, captured, voided }: Life): bigint {
  return authorized - captured - voided;
}

/** What may still be refunded: refunds that are not over have reserved their amounts. */
export function refundableOf({ captured, moves }: Life): bigint {
  const kept = moves.filter(({ kind, state }) => kind === 'refund' && state !== 'failed');
  return kept.reduce((left, { amount }) => left - amount, captured);
}

/** The capture or void that is not over. */
export function openMoveOf({ moves }: Life): Move | undefined {
  return moves.find(({ kind, state }) => kind !== 'refund' && (state === 'pending' || state === 'unresolved'));
}

/** The status that a payment shows. */
export function statusOf(life: Life): string {
  const { charge, captured, refunded } = life;
  if (charge !== 'charged') return charge;
  if (openMoveOf(life)?.state === 'unresolved') return 'unresolved';
  if (captured === 0n) return capturableOf(life) > 0n ? 'authorized' : 'canceled';
  if (refunded === 0n) return 'captured';
  return refunded < captured ? 'partially_refunded' : 'refunded';
}

/** More ways than these are no payment's, but a model's that goes round in circles. */
const livesMax = 50_000;

/** All ways in which payments that stand so may stand now or later without anybody asking. */
export function laterOf(lives: readonly Life[], facts: Facts): Life[] {
  const known = new Map(lives.map((life) => [textOf(life), life]));
  const open = [...known.values()];
  for (let life = open.pop(); life !== undefined; life = open.pop()) {
    for (const { to } of stepsOf(life, facts)) {
      const text = textOf(to);
      if (known.has(text)) continue;
      if (known.size === livesMax) throw new Error(`the model goes round in circles: ${text}`);
      known.set(text, to);
      open.push(to);
    }
  }
  return [...known.values()];
}

/** Whether nothing must happen any more until somebody asks. */
export function isAtRest(life: Life, facts: Facts): boolean {
  return stepsOf(life, facts).every(({ isDue }) => !isDue);
}

/** The same for the same way to stand, whatever order its moves came in. */
function textOf(life: Life): string {
  const { charge, payer, isCanceling, authorized, captured, voided, refunded } = life;
  const moves = life.moves.map(({ kind, key, body, amount, state }) => `${kind} ${key} ${body} ${amount} ${state}`);
  return [charge, payer, isCanceling, authorized, captured, voided, refunded, ...moves.toSorted()].join('|');
}

function stepsOf(life: Life, facts: Facts): Step[] {
  switch (life.charge) {
    case 'pending':
      return stepsOfCharge(life, facts);
    case 'requires_action':
      return stepsOfPayer(life, facts);
    case 'unresolved':
      return [{ to: charged(life, facts), isDue: false }];
    case 'charged':
      return [...life.moves.flatMap((move) => stepsOfMove(life, move, facts)), ...stepsOfRest(life, facts)];
    case 'failed':
    case 'canceled':
      return [];
  }
}

function stepsOfCharge(life: Life, facts: Facts): Step[] {
  const failed = { ...life, charge: 'failed', isCanceling: false } as const;
  const ends: Life[] = [];
  const approved: Life[] = [charged(life, facts), { ...life, charge: 'unresolved' }];
  const isWithdrawn = life.isCanceling;
  switch (facts.card) {
    case 'declines':
      ends.push(failed);
      break;
    case 'challenges':
      ends.push({ ...life, charge: 'requires_action' });
      break;
    case 'approves the second time':
    case 'approves the third time': {
      const isApproved = facts.rounds > (facts.card === 'approves the second time' ? 1 : 2);
      if (isApproved) ends.push(...approved);
      if (!isApproved || isWithdrawn) ends.push(failed); // what is withdrawn has no further round
      break;
    }
    default:
      ends.push(...approved);
  }
  if (isWithdrawn) ends.push({ ...life, charge: 'canceled', isCanceling: false });
  return ends.map((to) => ({ to, isDue: true }));
}

/** The payer may act in the moment of the first void; before the second one the provider is asked, and has heard of it. */
const givenUpMax = 2;

/** The payer must act: they do, or are given up. */
function stepsOfPayer(life: Life, facts: Facts): Step[] {
  const failed = { ...life, charge: 'failed', isCanceling: false } as const;
  const open = openMoveOf(life);
  const ends: Life[] = [];
  if (open !== undefined) {
    const canceled = { ...ended(life, open, 'succeeded'), charge: 'canceled' } as const;
    // Who approved a reservation a moment before has it given back; any other answer of theirs leaves nothing to give back.
    const isGivenBack = life.payer === 'silent' || (life.payer === 'approved' && facts.isManual);
    ends.push(isGivenBack ? canceled : ended(life, open, 'failed'));
  } else {
    if (life.payer === 'approved') ends.push(charged(life, facts));
    if (life.payer === 'declined') ends.push(failed);
    const isOver = life.isCanceling || facts.isShort;
    if (isOver && life.moves.length < givenUpMax) ends.push(withVoid(life, 0n));
  }
  return ends.map((to) => ({ to, isDue: true }));
}

function stepsOfMove(life: Life, move: Move, facts: Facts): Step[] {
  if (move.state === 'unresolved') return [{ to: ended(life, move, 'succeeded'), isDue: false }];
  if (move.state !== 'pending') return [];
  const isDeclined =
    (move.kind === 'capture' && facts.card === 'declines captures') ||
    (move.kind === 'refund' && facts.card === 'declines refunds');
  if (isDeclined) return [{ to: ended(life, move, 'failed'), isDue: true }];
  return [
    { to: ended(life, move, 'succeeded'), isDue: true },
    { to: ended(life, move, 'unresolved'), isDue: true },
  ];
}

/** What is reserved and was withdrawn, or not captured in time, is given back. */
function stepsOfRest(life: Life, facts: Facts): Step[] {
  if (openMoveOf(life) !== undefined) return [];
  const left = capturableOf(life);
  if (left > 0n && (life.isCanceling || facts.isShort)) return [{ to: withVoid(life, left), isDue: true }];
  return left === 0n && life.isCanceling ? [{ to: { ...life, isCanceling: false }, isDue: true }] : [];
}

/** The life after its charge was approved. */
export function charged(life: Life, { amount, isManual }: Facts): Life {
  const base = { ...life, charge: 'charged', authorized: amount } as const;
  return isManual ? base : { ...base, captured: amount, isCanceling: false };
}

function withVoid(life: Life, amount: bigint): Life {
  const number = life.moves.filter(({ kind }) => kind === 'void').length + 1;
  return {
    ...life,
    moves: [...life.moves, { kind: 'void', key: `void-${number}`, body: '', amount, state: 'pending' }],
  };
}

/** The life after a move came to this end. */
export function ended(life: Life, move: Move, state: 'succeeded' | 'failed' | 'unresolved'): Life {
  const moves = life.moves.map((one) => (one === move ? { ...move, state } : one));
  const amount = state === 'succeeded' ? move.amount : 0n;
  switch (move.kind) {
    case 'capture':
      return { ...life, moves, captured: life.captured + amount };
    case 'refund':
      return { ...life, moves, refunded: life.refunded + amount };
    case 'void': {
      const isCanceling = state === 'unresolved' && life.isCanceling;
      return { ...life, moves, voided: life.voided + amount, isCanceling };
    }
  }
}
