import { later, type Unit, type Zone } from './calendar.ts';

/**
 * What becomes of a subscription, calculated from the documentation alone: this file shares no code with the product. Instants are
 * ms, amounts minor units.
 */
export interface Offer {
  readonly name: string;
  readonly amount: bigint;
  readonly unit: Unit;
  readonly count: number;
  readonly trialDays: number;
  readonly signUpFee: bigint;
  /** How many periods are billed; null: without end. */
  readonly cycles: number | null;
}

/** What a card says to every charge: yes, not now, or never. */
export type Card = 'approves' | 'declines' | 'declines_for_good';

export type FinalAction = 'cancel' | 'unpaid' | 'pause';

/** What a merchant does about declined charges: tries on these days after the first, so many days of grace, and then the end. */
export interface Ladder {
  readonly retryDays: readonly number[];
  readonly graceDays: number;
  readonly finalAction: FinalAction;
}

/** One charge of a bill. */
interface Try {
  readonly at: number;
  readonly isPaid: boolean;
}

/** A part of a bill that pays for a span of time. */
interface Span {
  readonly amount: bigint;
  readonly start: number;
  readonly end: number;
}

/** An invoice as it should be. */
export interface Bill {
  readonly reason: 'period' | 'sign_up' | 'change';
  readonly cycle: number | null;
  readonly amount: bigint;
  readonly start: number;
  readonly end: number;
  readonly issuedAt: number;
  /** Of the offer that it bills. */
  readonly unit: Unit;
  readonly spans: readonly Span[];
  readonly tries: Try[];
  status: 'open' | 'paid' | 'uncollectible' | 'void';
  refund: bigint;
  /** For how long time stood still since it was issued. */
  stillMs: number;
}

export type Status = 'trialing' | 'active' | 'past_due' | 'paused' | 'canceled' | 'completed' | 'unpaid';

interface Debt {
  readonly bill: Bill;
  readonly since: number;
  /** How many of the ladder's days were used, or passed by. */
  readonly step: number;
  readonly nextTry: number | null;
  readonly endsAt: number;
}

interface Change {
  readonly offer: Offer;
  readonly quantity: number;
}

/** How a subscription begins. */
export interface Beginning {
  readonly offer: Offer;
  readonly quantity: number;
  readonly zone: Zone;
  readonly card: Card;
  readonly ladder: Ladder;
  readonly at: number;
  /** When its first period begins, where that was said; null: after the offer's trial, or at once. */
  readonly startsAt: number | null;
}

/** A subscription on paper. It is wound forward with `runTo`; what is done to it happens at the instant that it was wound to. */
export class Life {
  readonly zone: Zone;
  readonly bills: Bill[] = [];
  readonly #ladder: Ladder;
  #now: number;
  offer: Offer;
  quantity: number;
  status: Status;
  card: Card;
  cyclesBilled = 0;
  cyclesTotal: number | null;
  periodStart: number | null = null;
  periodEnd: number | null = null;
  next: number | null;
  endsWithPeriod = false;
  pending: Change | null = null;
  debt: Debt | null = null;
  #open: Bill | null = null;
  #anchor: number;
  /** The number of the next period, counted from the anchor. */
  #index = 0;
  #owesFee: boolean;
  #pausedAt: number | null = null;
  #resumesAt: number | null = null;
  #shifts = false;
  /** For how long time stood still since the period began. */
  #stillMs = 0;

  constructor({ offer, quantity, zone, card, ladder, at, startsAt }: Beginning) {
    this.offer = offer;
    this.quantity = quantity;
    this.zone = zone;
    this.card = card;
    this.#ladder = ladder;
    this.#now = at;
    this.#anchor = startsAt ?? later(zone, at, 'day', offer.trialDays);
    this.next = this.#anchor;
    this.status = this.#anchor > at ? 'trialing' : 'active';
    this.cyclesTotal = offer.cycles;
    this.#owesFee = offer.signUpFee > 0n;
    if (this.#owesFee && this.status === 'trialing') this.#billFee();
    this.runTo(at);
  }

  get isOver(): boolean {
    return this.status === 'canceled' || this.status === 'completed';
  }

  /** The bill that is asked for. */
  get open(): Bill | null {
    return this.#open;
  }

  /** When something happens by itself next. */
  get due(): number | null {
    return this.#dues()[0]?.at ?? null;
  }

  /** Lets happen what happens by itself until then. */
  runTo(instant: number): void {
    for (;;) {
      const [first] = this.#dues();
      if (first === undefined || first.at > instant) break;
      this.#now = Math.max(this.#now, first.at);
      first.happen();
    }
    this.#now = Math.max(this.#now, instant);
  }

  pause(resumesAt: number | null, shifts: boolean): void {
    this.status = 'paused';
    this.#pausedAt = this.#now;
    this.#resumesAt = resumesAt;
    this.#shifts = shifts;
  }

  resume(shifts: boolean | null): void {
    const stoodStill = shifts ?? this.#shifts;
    const pausedAt = this.#pausedAt ?? this.#now;
    this.#pausedAt = null;
    this.#resumesAt = null;
    this.#shifts = false;
    if (stoodStill) this.#shift(this.#now - pausedAt);
    else if (this.#hasStartSince(pausedAt)) this.#leaveOutMissed();
    this.status = this.debt === null ? this.#running() : 'past_due';
    this.runTo(this.#now);
  }

  cancelNow(refundsUnused: boolean): void {
    if (this.#open !== null) this.#close('void');
    this.#end('canceled');
    let left = refundsUnused ? this.#unusedOfPaid() : 0n;
    for (const bill of this.#paid().toReversed()) {
      bill.refund = left > bill.amount ? bill.amount : left;
      left -= bill.refund;
    }
  }

  /** The bills that were paid, from that of the last period that was. */
  #paid(): Bill[] {
    const all = this.bills.filter(({ status }) => status === 'paid');
    const last = all.findLastIndex(({ reason }) => reason === 'period');
    return all.slice(Math.max(0, last));
  }

  /** What is left of them: what a change gave back is not there to be given back again. */
  #unusedOfPaid(): bigint {
    const now = this.#pausedAt !== null && this.#shifts ? this.#pausedAt : this.#now;
    const unused = this.#paid().flatMap(({ spans, stillMs }) =>
      spans.map((span) => shareOf(span.amount, span, now - stillMs)),
    );
    const sum = unused.reduce((all, part) => all + part, 0n);
    return sum < 0n ? 0n : sum;
  }

  cancelWithPeriod(): void {
    this.endsWithPeriod = true;
  }

  goOnAfterAll(): void {
    this.endsWithPeriod = false;
  }

  /** Another card: what is owed is charged at once. */
  useCard(card: Card): void {
    this.card = card;
    if (this.#open !== null) this.#charge(this.#open);
    this.runTo(this.#now);
  }

  /** Another offer or quantity: at once where that costs more, else from the next period on. */
  change(offer: Offer, quantity: number): void {
    const change = { offer, quantity };
    const { periodStart: start, periodEnd: end } = this;
    if (start === null || end === null) return this.#apply(change, this.#now);
    if (end <= this.#now) {
      this.pending = change;
      return;
    }
    const paidFor = { start, end: end - this.#stillMs };
    const used = this.#now - this.#stillMs;
    const unused = shareOf(this.price, paidFor, used);
    const left = this.#unusedOfPaid();
    const credit = unused < left ? unused : left;
    const price = offer.amount * BigInt(quantity);
    const isSame = this.#isSameLength(offer);
    const newEnd = isSame ? end : later(this.zone, this.#now, offer.unit, offer.count);
    const asked = isSame ? shareOf(price, paidFor, used) : price;
    const costs = asked - (isSame ? unused : credit);
    if (costs === 0n && isSame) return this.#apply(change, this.#now);
    if (costs <= 0n) {
      this.pending = change;
      return;
    }
    const spans = [
      { amount: -credit, start: this.#now, end },
      { amount: asked, start: this.#now, end: newEnd },
    ];
    const bill = this.#issue({
      reason: 'change',
      cycle: null,
      start: this.#now,
      end: newEnd,
      amount: asked - credit,
      spans,
    });
    this.pending = change;
    this.#charge(bill);
    this.runTo(this.#now);
  }

  /** Of a period. */
  get price(): bigint {
    return this.offer.amount * BigInt(this.quantity);
  }

  /** Earliest first; at the same instant in this order: the end of the term, a try, the end of dunning. */
  #dues(): { readonly at: number; readonly happen: () => void }[] {
    if (this.isOver) return [];
    const due = (at: number | null, happen: () => void) => (at === null ? [] : [{ at, happen }]);
    const inOrder = (dues: { at: number; happen: () => void }[]) => dues.toSorted((one, other) => one.at - other.at);
    const term = this.endsWithPeriod ? due(this.next ?? this.periodEnd, () => this.#endTerm()) : [];
    if (this.status === 'paused') return inOrder([...term, ...due(this.#resumesAt, () => this.resume(null))]);
    if (this.status === 'unpaid') return term;
    const { debt } = this;
    if (debt !== null) {
      const tries = due(debt.nextTry, () => {
        this.debt = { ...debt, step: debt.step + 1 };
        this.#charge(debt.bill);
      });
      return inOrder([...term, ...tries, ...due(debt.endsAt, () => this.#giveUp())]);
    }
    if (term.length > 0) return term;
    return this.next === null ? due(this.periodEnd, () => this.#end('completed')) : due(this.next, () => this.#begin());
  }

  /** A period begins, and is billed. */
  #begin(): void {
    const start = this.next ?? this.#now;
    if (this.pending !== null) {
      this.#apply(this.pending, start);
      this.pending = null;
    }
    const end = this.#dateOf(this.#index + 1);
    this.#index += 1;
    this.cyclesBilled += 1;
    this.periodStart = start;
    this.periodEnd = end;
    this.#stillMs = 0;
    this.next = this.#isLastBilled ? null : end;
    if (this.status === 'trialing') this.status = 'active';
    const fee = this.#owesFee ? this.offer.signUpFee : 0n;
    this.#owesFee = false;
    const spans = [{ amount: this.price, start, end }];
    this.#charge(
      this.#issue({ reason: 'period', cycle: this.cyclesBilled, start, end, amount: this.price + fee, spans }),
    );
  }

  #billFee(): void {
    this.#owesFee = false;
    const amount = this.offer.signUpFee;
    this.#charge(this.#issue({ reason: 'sign_up', cycle: null, start: this.#now, end: this.#now, amount, spans: [] }));
  }

  #issue(bill: Pick<Bill, 'reason' | 'cycle' | 'amount' | 'start' | 'end' | 'spans'>): Bill {
    const issued: Bill = {
      ...bill,
      unit: this.offer.unit,
      issuedAt: this.#now,
      tries: [],
      status: 'open',
      refund: 0n,
      stillMs: 0,
    };
    this.bills.push(issued);
    this.#open = issued;
    return issued;
  }

  #charge(bill: Bill): void {
    const isPaid = this.card === 'approves';
    bill.tries.push({ at: this.#now, isPaid });
    if (isPaid) this.#settle(bill);
    else if (bill.reason === 'change') {
      this.#close('void');
      this.pending = null;
    } else if (this.status !== 'unpaid') this.#declined(bill);
  }

  #settle(bill: Bill): void {
    bill.status = 'paid';
    this.#open = null;
    this.debt = null;
    if (bill.reason === 'change' && this.pending !== null) {
      this.#apply(this.pending, this.#now);
      this.pending = null;
    }
    if (this.status === 'unpaid') this.#leaveOutMissed();
    if (this.status === 'unpaid' || this.status === 'past_due') this.status = this.#running();
  }

  /** Tries on the ladder's days, counted from the first decline, as long as the card may say yes another day. */
  #declined(bill: Bill): void {
    const { retryDays, graceDays } = this.#ladder;
    const since = this.debt?.since ?? this.#now;
    const dayOf = (day: number) => later(this.zone, since, 'day', day);
    const days = retryDays.map(dayOf);
    const usedOrOver = Math.max(this.debt?.step ?? 0, days.filter((day) => day <= this.#now).length);
    const nextTry = days[usedOrOver] ?? null;
    const endsAt = dayOf((retryDays.at(-1) ?? 0) + graceDays);
    this.debt = { bill, since, step: usedOrOver, nextTry: this.card === 'declines' ? nextTry : null, endsAt };
    this.status = 'past_due';
  }

  #giveUp(): void {
    this.debt = null;
    switch (this.#ladder.finalAction) {
      case 'cancel':
        this.#close('uncollectible');
        return this.#end('canceled');
      case 'pause':
        this.#close('uncollectible');
        return this.pause(null, false);
      case 'unpaid':
        this.status = 'unpaid';
    }
  }

  #endTerm(): void {
    if (this.#open !== null) this.#close('void');
    this.#end('canceled');
  }

  #close(status: 'void' | 'uncollectible'): void {
    if (this.#open !== null) this.#open.status = status;
    this.#open = null;
  }

  #end(status: 'canceled' | 'completed'): void {
    this.status = status;
    if (status === 'canceled') this.next = null;
    this.debt = null;
    this.endsWithPeriod = false;
  }

  #apply({ offer, quantity }: Change, at: number): void {
    const isSame = this.#isSameLength(offer);
    const beginsNow = !isSame && (this.next === null || (this.periodStart !== null && at !== this.next));
    if (offer !== this.offer) {
      // A period that begins with the change is paid with it, and is the first of them.
      this.cyclesTotal = offer.cycles === null ? null : this.cyclesBilled + offer.cycles - (beginsNow ? 1 : 0);
    }
    this.offer = offer;
    this.quantity = quantity;
    if (isSame) return;
    this.#anchor = beginsNow ? at : (this.next ?? at);
    this.#index = 0;
    if (!beginsNow) return;
    this.#index = 1;
    this.periodStart = at;
    this.#stillMs = 0;
    this.periodEnd = this.#dateOf(1);
    this.next = this.#isLastBilled ? null : this.periodEnd;
  }

  get #isLastBilled(): boolean {
    return this.cyclesTotal !== null && this.cyclesBilled >= this.cyclesTotal;
  }

  #isSameLength({ unit, count }: Offer): boolean {
    return unit === this.offer.unit && count === this.offer.count;
  }

  #dateOf(index: number): number {
    return later(this.zone, this.#anchor, this.offer.unit, this.offer.count * index);
  }

  #running(): Status {
    return this.cyclesBilled === 0 && this.next !== null && this.next > this.#now ? 'trialing' : 'active';
  }

  /** Whether a date of the calendar is not before that instant, and is over. */
  #hasStartSince(instant: number): boolean {
    let index = this.#index;
    while (this.#dateOf(index) < instant) index += 1;
    return this.#dateOf(index) < this.#now;
  }

  /** The next period is the first that begins now or later. */
  #leaveOutMissed(): void {
    if (this.next === null) return;
    while (this.#dateOf(this.#index) < this.#now) this.#index += 1;
    this.next = this.#dateOf(this.#index);
  }

  /** Time stood still: every date comes later by so much. */
  #shift(byMs: number): void {
    for (const bill of this.bills) bill.stillMs += byMs;
    const moved = (instant: number | null) => (instant === null ? null : instant + byMs);
    this.periodEnd = moved(this.periodEnd);
    this.#stillMs += byMs;
    if (this.debt !== null) {
      const { since, nextTry, endsAt } = this.debt;
      this.debt = { ...this.debt, since: since + byMs, nextTry: moved(nextTry), endsAt: endsAt + byMs };
    }
    if (this.next === null) return;
    this.next += byMs;
    this.#anchor = this.next;
    this.#index = 0;
  }
}

/** The part of an amount for what is left of a span: exact, and then rounded once, half a unit away from zero. */
function shareOf(
  amount: bigint,
  { start, end }: { readonly start: number; readonly end: number },
  now: number,
): bigint {
  const whole = BigInt(end - start);
  const left = BigInt(Math.max(0, end - Math.max(now, start)));
  if (whole <= 0n || left === 0n) return 0n;
  const [size, sign] = amount < 0n ? [-amount, -1n] : [amount, 1n];
  const floor = (size * left) / whole;
  const rest = size * left - floor * whole;
  return sign * (2n * rest >= whole ? floor + 1n : floor);
}
