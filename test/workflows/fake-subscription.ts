import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import type { SubscriptionStep } from '../../workflows/domain/billing/subscription-act.ts';
import type {
  AcceptSubscription,
  SubscriptionAcceptance,
  SubscriptionPorts,
  SubscriptionSnapshot,
  SubscriptionStepAnswer,
  SubscriptionStepInput,
} from '../../workflows/subscription-ports.ts';
import { aPaymentRequest } from '../support/payment-request.ts';
import { FakePayment } from './fake-payment.ts';
import { rowOf } from './rows.ts';
import type { Script, Step } from './script.ts';

/** What a step makes of the row, or why it is refused. */
type Rule = (
  fake: FakeSubscription,
  step: SubscriptionStep,
) => Partial<SubscriptionSnapshot> | Pick<Extract<SubscriptionStepAnswer, { kind: 'refused' }>, 'code' | 'detail'>;

/** What a test decides about one subscription's world. */
export interface SubscriptionScript {
  /** The row when it is accepted, or as it is before its workflow starts. */
  readonly row?: Partial<SubscriptionSnapshot>;
  readonly accept?: Step<SubscriptionAcceptance, FakeSubscription>;
  /** Instead of the plain rules of `FakeSubscription`. */
  readonly rules?: Partial<Readonly<Record<SubscriptionStep['kind'], Rule>>>;
  /** Before a step, by its number, such as the throw of a database that is away; the last one is not repeated. */
  readonly before?: readonly (Step<unknown, FakeSubscription> | null)[];
  /** What the watch over a payment's row does; else it waits until that is decided. */
  readonly watch?: Step<{ readonly isDecided: boolean }, FakeSubscription>;
  /** The world of each of its payments. */
  readonly payment?: Script;
}

/**
 * One subscription's row and a protocol of what its workflow asked for. It keeps the promises of the ports (a step is taken once per
 * version, a wish once per id, each change is a new version) and knows next to nothing of the rules: what is due is charged, and after
 * a charge nothing is due.
 */
export class FakeSubscription {
  readonly id: string;
  readonly accepted: AcceptSubscription[] = [];
  /** What was asked for, in order, and when. */
  readonly asked: (SubscriptionStepInput & { readonly at: number; readonly isLocal: boolean })[] = [];
  /** What changed the row, in order. */
  readonly done: SubscriptionStep['kind'][] = [];
  /** Its payments, in order. */
  readonly payments: FakePayment[] = [];
  readonly watched: string[] = [];
  row: SubscriptionSnapshot;
  readonly #script: SubscriptionScript;
  readonly #granted = new Set<string>();
  readonly #register: (payment: FakePayment) => void;

  constructor(id: string, script: SubscriptionScript, register: (payment: FakePayment) => void) {
    this.id = id;
    this.#script = script;
    this.#register = register;
    this.row = { ...aRow(id), ...script.row };
  }

  async acceptSubscription(input: AcceptSubscription): Promise<SubscriptionAcceptance> {
    this.accepted.push(input);
    return this.#script.accept?.(this) ?? { kind: 'accepted', subscription: this.row };
  }

  async stepSubscription(input: SubscriptionStepInput): Promise<SubscriptionStepAnswer> {
    const before = this.#script.before?.[this.asked.length];
    this.asked.push({ ...input, at: Date.now(), isLocal: activityInfo().isLocal });
    await before?.(this);
    const { step, wishId, fromVersion } = input;
    const isStale = fromVersion !== null && fromVersion !== this.row.version;
    if (step === null || isStale || (wishId !== null && this.#granted.has(wishId))) return this.#stepped();
    const made = (this.#script.rules?.[step.kind] ?? plainRules[step.kind] ?? nothingElse)(this, step);
    if ('detail' in made) return { kind: 'refused', ...made, subscription: this.row };
    if (wishId !== null) this.#granted.add(wishId);
    this.done.push(step.kind);
    this.change(made);
    return this.#stepped();
  }

  async awaitPayment({ paymentId }: { readonly paymentId: string }): Promise<{ readonly isDecided: boolean }> {
    this.watched.push(paymentId);
    if (this.#script.watch !== undefined) return this.#script.watch(this);
    if (this.isPaid(paymentId)) return { isDecided: true };
    throw ApplicationFailure.create({ type: 'not_yet', nextRetryDelay: 50 });
  }

  /** The steps of this kind that were asked for. */
  askedFor(kind: SubscriptionStep['kind']): FakeSubscription['asked'] {
    return this.asked.filter(({ step }) => step?.kind === kind);
  }

  /** Changes the row, as another process would. */
  change(changes: Partial<SubscriptionSnapshot>): void {
    this.row = { ...this.row, ...changes, version: this.row.version + 1 };
  }

  isPaid(paymentId: string): boolean {
    return this.payments.some(({ id, row }) => id === paymentId && row?.status === 'captured');
  }

  /** A payment to be made next. */
  newCharge(): NonNullable<SubscriptionSnapshot['charge']> {
    const paymentId = `pay_${this.id}_${this.payments.length + 1}`;
    const request = aPaymentRequest({ requestHash: paymentId, idempotencyKey: paymentId });
    const now = new Date().toISOString();
    const script = this.#script.payment ?? {};
    const row = rowOf({ paymentId, merchantId: 'mer_1', isTest: true, request, now }, script);
    const payment = new FakePayment(row, script);
    this.payments.push(payment);
    this.#register(payment);
    return { paymentId, request };
  }

  #stepped(): SubscriptionStepAnswer {
    return { kind: 'stepped', subscription: this.row };
  }
}

const charges: Rule = (fake) => ({ charge: fake.newCharge(), due: null });
const nothingElse: Rule = () => ({});

const plainRules: Partial<Readonly<Record<SubscriptionStep['kind'], Rule>>> = {
  open_period: charges,
  retry_charge: charges,
  settle_charge: (fake, step) =>
    step.kind === 'settle_charge' && fake.isPaid(step.paymentId)
      ? { charge: null, lastOutcome: 'paid', isOver: fake.row.status === 'canceled' }
      : {},
  settle_refunds: () => ({ refunds: [], isOver: true }),
  pause: () => ({ status: 'paused', due: null }),
  resume: () => ({ status: 'active' }),
  cancel: ({ row }) => ({ status: 'canceled', due: null, isOver: row.charge === null && row.refunds.length === 0 }),
  retry_now: (fake) =>
    fake.row.charge === null
      ? { charge: fake.newCharge() }
      : { code: 'charge_in_progress', detail: 'A charge is on its way.' },
};

function aRow(id: string): SubscriptionSnapshot {
  return {
    id,
    requestHash: `hash of ${id}`,
    correlationId: 'c',
    status: 'active',
    version: 1,
    clockNow: null,
    due: null,
    charge: null,
    refunds: [],
    isOver: false,
    price: '25.99 USD every month',
    externalId: 'order-17',
    customerId: 'customer-1',
    cyclesBilled: 1,
    cyclesTotal: null,
    currentPeriod: null,
    nextBillingDate: null,
    lastOutcome: null,
    dunning: null,
  };
}

/** The ports as one object, of whichever subscription is asked for. */
export function subscriptionPortsOf(fakes: ReadonlyMap<string, FakeSubscription>): SubscriptionPorts {
  const of = (find: (fake: FakeSubscription) => boolean) => {
    const fake = [...fakes.values()].find(find);
    if (fake === undefined) throw new Error('there is no fake for that');
    return fake;
  };
  return {
    acceptSubscription: (input) => of(({ id }) => id === input.subscriptionId).acceptSubscription(input),
    stepSubscription: (input) => of(({ id }) => id === input.subscriptionId).stepSubscription(input),
    awaitPayment: (input) =>
      of(({ payments }) => payments.some(({ id }) => id === input.paymentId)).awaitPayment(input),
  };
}
