import { condition, currentUpdateInfo, setHandler } from '@temporalio/workflow';
import { databaseStep } from './ask-of-the-world.ts';
import { businessNowText } from './clock.ts';
import type { SubscriptionStep, SubscriptionWish } from './domain/billing/subscription-act.ts';
import { invariant } from './domain/invariant.ts';
import { patiently, type Question, refuse, requireQuestion } from './guards.ts';
import { type Act, subscriptionActs } from './subscription-acts.ts';
import {
  type AwaitedSubscription,
  awaitSubscription,
  clockMoved,
  getSubscription,
  type SubscriptionAct,
  type SubscriptionActed,
  type SubscriptionWorkflowInput,
} from './subscription-contract.ts';
import type {
  SubscriptionPorts,
  SubscriptionRefusal,
  SubscriptionSnapshot,
  SubscriptionStepAnswer,
} from './subscription-ports.ts';

/** What somebody wants, and what became of it. */
interface Wanted {
  readonly id: string;
  readonly updateId: string | null;
  readonly wish: SubscriptionWish;
  readonly act: SubscriptionAct;
  answer: SubscriptionStepAnswer | null;
}

/** A payment that this run follows. */
export interface FollowedCharge {
  readonly paymentId: string;
  isOver: boolean;
  /** Whether there can be no such payment: something else stands in its place. */
  isRefused: boolean;
  error: unknown;
}

type SubscriptionQuestion = Question & { readonly until: 'accepted' | 'outcome' };

/** What one subscription's workflow knows and what others asked of it; the story that acts on that is in `subscription.ts`. */
export class SubscriptionProcess {
  readonly input: SubscriptionWorkflowInput;
  /** What it does now, for operators. */
  doing = 'accepting the subscription';
  /** Whether the row may be another one than it was read as: its test clock was advanced. */
  isStale = false;
  followed: FollowedCharge | null = null;

  readonly #wanted: Wanted[] = [];
  #row: SubscriptionSnapshot | null = null;
  #refusal: SubscriptionRefusal | null = null;

  constructor(input: SubscriptionWorkflowInput) {
    this.input = input;
  }

  /** Registers the handlers; before the first await, or early messages are lost. */
  listen(): void {
    setHandler(
      awaitSubscription,
      patiently((asked: SubscriptionQuestion) => this.#stored(asked)),
      { validator: requireQuestion },
    );
    this.#grant(subscriptionActs.pause);
    this.#grant(subscriptionActs.resume);
    this.#grant(subscriptionActs.cancel);
    this.#grant(subscriptionActs.change);
    this.#grant(subscriptionActs.retry);
    this.#grant(subscriptionActs.skip);
    this.#grant(subscriptionActs.moveDate);
    setHandler(clockMoved, () => {
      this.isStale = true;
    });
    setHandler(getSubscription, () => ({
      subscriptionId: this.input.subscriptionId,
      status: this.#row?.status ?? null,
      doing: this.doing,
      version: this.#row?.version ?? null,
    }));
  }

  /** The row as it was last read or written. */
  get row(): SubscriptionSnapshot {
    invariant(this.#row !== null, 'the subscription is not accepted yet');
    return this.#row;
  }

  get hasWish(): boolean {
    return this.#wanted.length > 0;
  }

  /** Whether nothing is under way that another run would not find in the row. */
  get isQuiet(): boolean {
    return !this.hasWish && this.followed === null;
  }

  adopt(row: SubscriptionSnapshot): void {
    this.#row = row;
  }

  /** There is no row and will be none. */
  refuse(code: SubscriptionRefusal): void {
    this.#refusal = code;
  }

  /** Reads the row again. */
  async look(): Promise<void> {
    this.isStale = false;
    const { subscription } = await this.#ask('read the row again', null, null);
    this.adopt(subscription);
  }

  /** Takes a step that its row asks for. */
  async step(step: SubscriptionStep): Promise<void> {
    const { subscription } = await this.#ask(`step: ${step.kind.replaceAll('_', ' ')}`, step, null);
    this.adopt(subscription);
  }

  /** Does what somebody wants first. */
  async grantWish(): Promise<void> {
    const [wanted] = this.#wanted;
    invariant(wanted !== undefined, 'nobody wants anything');
    const answer = await this.#ask(`wish: ${wanted.wish.kind.replaceAll('_', ' ')}`, wanted.wish, wanted);
    this.#wanted.shift();
    wanted.answer = answer;
    this.adopt(answer.subscription);
  }

  #ask(summary: string, step: SubscriptionStep | null, wanted: Wanted | null): Promise<SubscriptionStepAnswer> {
    const { subscriptionId, merchantId } = this.input;
    const input = {
      subscriptionId,
      merchantId,
      step,
      fromVersion: wanted === null ? this.row.version : null,
      wishId: wanted?.id ?? null,
      updateId: wanted?.updateId ?? null,
      actor: wanted?.act.actor ?? 'workflow',
      origin: 'workflow',
      reason: wanted?.act.reason ?? null,
      now: businessNowText(),
    };
    return databaseStep<SubscriptionStepAnswer, SubscriptionPorts>(summary, (ports) => ports.stepSubscription(input));
  }

  #grant<Asked extends SubscriptionAct>({ name, update, check, wish }: Act<Asked>): void {
    setHandler(
      update,
      patiently((asked: Asked) => this.#want(name, asked, wish(asked))),
      {
        validator: (asked: Asked) => {
          check(asked);
          this.#refuseWhereEnded();
        },
      },
    );
  }

  #refuseWhereEnded(): void {
    const status = this.#row?.status;
    if (status === 'canceled' || status === 'completed') {
      refuse(`the subscription is ${status}`, 'subscription_ended');
    }
  }

  /** Waits until the story has come to the wish. */
  async #want(name: string, act: SubscriptionAct, wish: SubscriptionWish): Promise<SubscriptionActed> {
    const updateId = currentUpdateInfo()?.id ?? null;
    const id = act.key === undefined ? (updateId ?? '') : `${name}:${act.key}`;
    const wanted: Wanted = { id, updateId, wish, act, answer: null };
    this.#wanted.push(wanted);
    await condition(() => wanted.answer !== null || this.#refusal !== null || this.#row?.isOver === true);
    const { answer } = wanted;
    if (answer === null && this.#refusal !== null) refuse('there is no such subscription', 'not_found');
    if (answer === null) refuse('the subscription has ended', 'subscription_ended');
    if (answer.kind === 'refused') refuse(answer.detail, answer.code);
    const { status, nextBillingDate } = answer.subscription;
    return { status, nextBillingDate };
  }

  async #stored(asked: SubscriptionQuestion): Promise<AwaitedSubscription> {
    await condition(() => this.#refusal !== null || this.#row !== null);
    const known = this.#row ?? this.input.request;
    if (known !== undefined && asked.requestHash !== known.requestHash) {
      return { kind: 'refused', code: 'idempotency_key_reused' };
    }
    if (this.#refusal !== null) return { kind: 'refused', code: this.#refusal };
    if (asked.until === 'outcome') await condition(() => this.isCalm);
    return { kind: 'stored' };
  }

  /** Whether no charge is on its way and none is about to be. */
  get isCalm(): boolean {
    const { row } = this;
    if (row.charge !== null) return false;
    return row.due === null || Date.parse(row.due.at) > Date.parse(row.clockNow ?? businessNowText());
  }
}
