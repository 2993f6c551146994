import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { chooseAct } from './acts.ts';
import { type Book, disagreements, gapsIn, standOnPaper, standShown } from './books.ts';
import { shownAt } from './calendar.ts';
import { type Chance, createChance } from './chance.ts';
import { type Card, type Ladder, Life } from './life.ts';
import { type MerchantCalls, merchantCalls, type ShownSubscription } from './merchant-calls.ts';
import { ladders, offerOf, offers, tokenOf, zones } from './offers.ts';

/** What a run is to do. The same seed makes the same subscriptions and acts. */
export interface YearsPlan {
  readonly seed: number;
  readonly years: number;
  /** That live at a time: who has ended is followed by another one. */
  readonly subscriptions: number;
  /** So many test clocks go at the same time, each with customers of its own. */
  readonly clocks: number;
  /** How often the worker is killed (-9) while clocks are on their way. */
  readonly kills: number;
}

/** What a run did, and what it found. */
export interface YearsRun {
  readonly plan: YearsPlan;
  readonly seconds: number;
  readonly findings: readonly string[];
  /** How often what was done and came about. */
  readonly tally: ReadonlyMap<string, number>;
}

const dayMs = 86_400_000;
const yearMs = 365.25 * dayMs;
/** Between two stops of a clock at which the merchant acts. */
const stopMinMs = 5 * dayMs;
const stopSpanMs = 30 * dayMs;
/** So many subscriptions of a clock begin with it; the others one after another. */
const firstAtOnce = 4;

interface Merchant {
  readonly calls: MerchantCalls;
  readonly ladder: Ladder;
  readonly planIds: ReadonlyMap<string, string>;
}

/** A subscription as it is and as it should be. */
interface Pair {
  readonly id: string;
  readonly life: Life;
  readonly merchant: Merchant;
}

/** Simulates the years, and holds what was charged against the calculation. `tell` hears how many of the clocks' days are over. */
export async function runYears(
  world: World,
  plan: YearsPlan,
  tell: (done: { readonly days: number; readonly daysInAll: number; readonly findings: number }) => void = () =>
    undefined,
): Promise<YearsRun> {
  const started = performance.now();
  const run = new Years(world, plan, tell);
  const findings = await run.play();
  return { plan, seconds: (performance.now() - started) / 1_000, findings, tally: run.tally };
}

class Years {
  readonly tally = new Map<string, number>();
  readonly #world: World;
  readonly #plan: YearsPlan;
  readonly #tell: Parameters<typeof runYears>[2];
  readonly #findings: string[] = [];
  readonly #pairs: Pair[] = [];
  #days = 0;
  #killsLeft: number;
  /** Apart from the clocks' own, which must not depend on each other. */
  readonly #killChance: Chance;
  #isKilling = false;

  constructor(world: World, plan: YearsPlan, tell: Parameters<typeof runYears>[2]) {
    this.#world = world;
    this.#plan = plan;
    this.#tell = tell;
    this.#killsLeft = plan.kills;
    this.#killChance = createChance(plan.seed);
  }

  async play(): Promise<readonly string[]> {
    const before = await this.#charges();
    const merchants = await Promise.all(ladders.map((ladder) => this.#openShop(ladder)));
    const clocks = Array.from({ length: this.#plan.clocks }, (_, index) => index);
    await Promise.all(clocks.map((index) => this.#playClock(merchants, index)));
    const book: Book = Map.groupBy(await this.#world.bank.movements(), ({ reference }) => reference);
    for (const { id, life, merchant } of this.#pairs) {
      this.#findings.push(...(await disagreements(merchant.calls, book, id, life)));
      this.#count(life);
    }
    for (const { calls } of merchants) this.#findings.push(...(await gapsIn(calls)));
    const charges = (await this.#charges()) - before;
    const expected = this.tally.get('charge paid') ?? 0;
    if (charges !== expected) this.#findings.push(`the bank has ${charges} charges, and should have ${expected}`);
    return this.#findings;
  }

  async #charges(): Promise<number> {
    return (await this.#world.bank.movements()).filter(({ kind }) => kind === 'charge').length;
  }

  /** A merchant with every offer as a plan. */
  async #openShop(ladder: Ladder): Promise<Merchant> {
    const { retryDays, graceDays, finalAction } = ladder;
    const dunning = { retry_days: [...retryDays], grace_days: graceDays, final_action: finalAction };
    const { testKey } = await this.#world.createMerchant({ dunning, wait: 20 });
    const calls = merchantCalls(this.#world.apiUrl, testKey);
    const planIds = new Map<string, string>();
    for (const offer of offers) {
      const { name, unit, count, cycles, trialDays } = offer;
      const { id } = await calls.send<{ id: string }>('POST', '/api/v1/plans', {
        name,
        amount: decimal(offer.amount),
        currency: 'EUR',
        interval: { unit, count },
        trial_days: trialDays,
        sign_up_fee: decimal(offer.signUpFee),
        cycles,
      });
      planIds.set(name, id);
    }
    return { calls, ladder, planIds };
  }

  /** The years of one clock: from stop to stop, at each of which the merchant acts. */
  async #playClock(merchants: readonly Merchant[], index: number): Promise<void> {
    const chance = createChance(this.#plan.seed * 1_000 + index);
    const merchant = chance.oneOf(index < merchants.length ? merchants.slice(index, index + 1) : merchants);
    const { calls } = merchant;
    // At the end of a month, where most mistakes are.
    let now = Date.UTC(2026, 0, 29 + chance.below(3), chance.below(24), chance.below(60), chance.below(60));
    const end = now + this.#plan.years * yearMs;
    const { id: clockId } = await calls.send<{ id: string }>('POST', '/api/v1/test-clocks', {
      frozen_time: new Date(now).toISOString(),
    });
    const { clocks, subscriptions } = this.#plan;
    const wanted = Math.ceil((subscriptions - index) / clocks);
    const pairs: Pair[] = [];
    while (now < end) {
      const living = pairs.filter(({ life }) => !life.isOver).length;
      const begun = pairs.length < firstAtOnce ? firstAtOnce : chance.below(4);
      for (let count = 0; count < Math.min(begun, wanted - living); count++) {
        const pair = await this.#begin(merchant, clockId, index + clocks * pairs.length, now, chance);
        pairs.push(pair);
        this.#pairs.push(pair);
      }
      for (const pair of pairs) await this.#act(pair, now, chance);
      await calls.send('POST', `/api/v1/test-clocks/${clockId}/settle`, {});
      await this.#compare(pairs);
      const next = Math.min(end, now + stopMinMs + chance.below(stopSpanMs));
      await this.#advance(merchant, clockId, next, pairs);
      for (const { life } of pairs) life.runTo(next);
      this.#days += (next - now) / dayMs;
      now = next;
      const daysInAll = (this.#plan.years * this.#plan.clocks * yearMs) / dayMs;
      this.#tell?.({ days: this.#days, daysInAll, findings: this.#findings.length });
    }
    await this.#compare(pairs);
  }

  async #begin(merchant: Merchant, clockId: string, number: number, now: number, chance: Chance): Promise<Pair> {
    const { calls, ladder, planIds } = merchant;
    const offer = offerOf(number);
    const { id: customerId } = await calls.send<{ id: string }>('POST', '/api/v1/customers', {
      test_clock_id: clockId,
    });
    const zone = chance.oneOf(zones);
    const card: Card = chance.happens(0.08) ? 'declines' : 'approves';
    const quantity = 1 + chance.below(3);
    // Half past two on a Sunday: where summer time begins and ends, sooner or later.
    const sunday =
      (Math.floor(now / (7 * dayMs)) + 2) * 7 * dayMs +
      3 * dayMs +
      (zone === 'UTC' ? 2.5 : zone === 'Europe/Berlin' ? 1.5 : 7.5) * 3_600_000;
    const startsAt = chance.happens(offer.unit === 'week' ? 0.6 : 0.1) ? sunday : null;
    const { id } = await calls.send<ShownSubscription>('POST', '/api/v1/subscriptions', {
      plan_id: planIds.get(offer.name),
      customer_id: customerId,
      payment_method: { type: 'credit_card', card_token: tokenOf(card, chance) },
      quantity,
      time_zone: zone,
      ...(startsAt === null ? {} : { starts_at: new Date(startsAt).toISOString() }),
    });
    const life = new Life({ offer, quantity, zone, card, ladder, at: now, startsAt });
    return { id, life, merchant };
  }

  async #act({ id, life, merchant }: Pair, now: number, chance: Chance): Promise<void> {
    const { calls, planIds } = merchant;
    const act = chooseAct({ life, now, chance, planIdOf: ({ name }) => planIds.get(name) ?? '' });
    if (act === null) return;
    this.#add(act.name);
    await calls.send(act.method, `/api/v1/subscriptions/${id}${act.path}`, act.body);
    act.onPaper();
  }

  /** Has the clock advanced, and sometimes kills the worker on the way. */
  async #advance({ calls }: Merchant, clockId: string, to: number, pairs: readonly Pair[]): Promise<void> {
    const path = `/api/v1/test-clocks/${clockId}`;
    const send = () => calls.send('POST', `${path}/advance`, { to: new Date(to).toISOString() });
    const isBusy = pairs.some(({ life }) => life.card === 'approves' && life.due !== null && life.due <= to);
    const kills = isBusy && this.#killsLeft > 0 && !this.#isKilling && this.#killChance.happens(0.3);
    await (kills ? this.#killDuring(send) : send());
  }

  /** Kills the worker while a charge stands at the bank, whose answer it will never read, and starts it again. */
  async #killDuring(advance: () => Promise<unknown>): Promise<void> {
    const { bank, worker } = this.#world;
    this.#isKilling = true;
    this.#killsLeft -= 1;
    await bank.park({ operation: 'charge', point: 'after_commit' });
    let hasArrived = false;
    const advancing = advance().then(() => (hasArrived = true));
    const parked = await until(
      'a charge stands at the bank, or none came',
      async () => (hasArrived ? [] : await bank.parked().then((calls) => (calls.length > 0 ? calls : null))),
      { everyMs: 20 },
    );
    if (parked.length > 0) {
      await worker.kill();
      this.#add('kill in the middle');
    } else this.#killsLeft += 1;
    await bank.release();
    if (!worker.isRunning) await worker.start();
    this.#isKilling = false;
    await advancing;
  }

  /** Whether each subscription stands as it should. */
  async #compare(pairs: readonly Pair[]): Promise<void> {
    for (const { id, life, merchant } of pairs) {
      const planIdOf = (name: string) => merchant.planIds.get(name) ?? '';
      const shown = standShown(await merchant.calls.read<ShownSubscription>(`/api/v1/subscriptions/${id}`));
      const expected = standOnPaper(life, planIdOf);
      if (shown !== expected && !this.#findings.some((finding) => finding.startsWith(id)))
        this.#findings.push(`${id} should stand as ${expected}, and stands as ${shown}`);
    }
  }

  #count(life: Life): void {
    this.#add('subscription');
    this.#add(`ended ${life.status}`);
    for (const { reason, status, unit, tries, issuedAt, cycle, refund } of life.bills) {
      this.#add(`bill ${status}`);
      if (reason === 'period') this.#add(`period of ${unit}s`);
      if (reason !== 'period') this.#add(`bill for ${reason}`);
      this.#add('charge paid', tries.filter(({ isPaid }) => isPaid).length);
      this.#add('charge declined', tries.filter(({ isPaid }) => !isPaid).length);
      if (refund > 0n) this.#add('refund');
      const { month, day } = shownAt(life.zone, issuedAt);
      if (cycle !== null && month === 2 && day >= 28) this.#add('period at the end of February');
      if (cycle !== null && life.zone !== 'UTC')
        this.#add(month > 3 && month < 10 ? 'period in summer' : 'period in winter');
    }
  }

  #add(name: string, count = 1): void {
    this.tally.set(name, (this.tally.get(name) ?? 0) + count);
  }
}

function decimal(minor: bigint): string {
  return `${minor / 100n}.${String(minor % 100n).padStart(2, '0')}`;
}
