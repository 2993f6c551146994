import { setTimeout as pause } from 'node:timers/promises';
import { cancellationSignal, getClient } from '@temporalio/activity';
import type { Database } from '../prisma/database.ts';
import {
  type AdvanceState,
  moveTestClock,
  quietLateSubscription,
  readAdvance,
  type UnsettledSubscription,
} from '../prisma/test-clocks.ts';
import {
  clockMoved,
  type SubscriptionWorkflowInput,
  subscriptionStartOptions,
  subscriptionSummary,
  subscriptionWorkflowType,
} from '../workflows/subscription-contract.ts';
import type { TestClockTurn } from '../workflows/test-clock-ports.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeats } from './heartbeats.ts';

/** Shorter than a worker's time to stop in: another one goes on. */
const turnMs = 10_000;
/** Most of what is due takes tens of ms; what takes longer is looked at less often. */
const lookMinMs = 10;
const lookMaxMs = 250;
/** Whoever did not move for so long may not have been told, or lost its workflow. */
const tellAgainMs = 3_000;
const tellsAtOnce = 16;
const namedMax = 10;

/**
 * Advances a clock for a turn. Whatever a turn before it left undone is due now, so that it begins with that. A clock that
 * stands still has its subscriptions told once of what they left undone.
 */
export function advanceTestClock(
  deps: ActivityDeps,
  { clockId }: { readonly clockId: string },
): Promise<TestClockTurn> {
  return withHeartbeats(async () => {
    const stopping = cancellationSignal();
    const until = Date.now() + turnMs;
    let bells = new Bells(deps.db);
    let lookMs = lookMinMs;
    for (;;) {
      stopping.throwIfAborted();
      const state = await readAdvance(deps.db, clockId);
      const { now, target, unsettled } = state;
      if (unsettled.length > 0) {
        const moved = await bells.ring(unsettled, target === null);
        if (target === null || Date.now() > until) return turnOf(state);
        lookMs = moved ? lookMinMs : Math.min(lookMaxMs, lookMs * 1.5);
        await pause(lookMs);
        continue;
      }
      if (target === null || Date.now() > until) return turnOf(state);
      const to = state.nextDue ?? target;
      await moveTestClock(deps.db, clockId, { from: now, to, arrives: state.nextDue === null });
      bells = new Bells(deps.db); // whoever was told is to be told of this instant too
      lookMs = lookMinMs;
    }
  });
}

function turnOf({ now, target, unsettled }: AdvanceState): TestClockTurn {
  return {
    now: now.toISOString(),
    target: target?.toISOString() ?? null,
    waitingFor: unsettled.slice(0, namedMax).map(({ id }) => id),
  };
}

/**
 * Tells subscriptions that their clock has moved: each once, and again when nothing came of it for a while. One that waits for a payment
 * or a refund is told only when that takes so long that its workflow may be gone: each word is an event in its history.
 */
class Bells {
  readonly #db: Database;
  readonly #told = new Map<string, { version: number; at: number }>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Whether any of them has moved since it was told, or was told now. `isAsked`: somebody wants all of them to be told. */
  async ring(unsettled: readonly UnsettledSubscription[], isAsked: boolean): Promise<boolean> {
    const now = Date.now();
    const ids = new Set(unsettled.map(({ id }) => id));
    let hasMoved = false;
    for (const id of this.#told.keys()) {
      if (ids.has(id)) continue;
      this.#told.delete(id);
      hasMoved = true;
    }
    const due = unsettled.filter(({ id, version, isDue, isLate }) => {
      const told = this.#told.get(id);
      if (told !== undefined && told.version !== version) {
        this.#told.set(id, { version, at: now });
        hasMoved = true;
        return false;
      }
      if (!isDue) return isLate || isAsked;
      return told === undefined || now - told.at > tellAgainMs;
    });
    await inTurn(due, tellsAtOnce, async (subscription) => {
      await tell(subscription);
      if (!subscription.isDue) await quietLateSubscription(this.#db, subscription.id);
      this.#told.set(subscription.id, { version: subscription.version, at: Date.now() });
    });
    return hasMoved || due.length > 0;
  }
}

async function inTurn<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const workThrough = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, workThrough));
}

async function tell(subscription: UnsettledSubscription): Promise<void> {
  const { id: subscriptionId, merchantId, isTest, amountMinor } = subscription;
  const summary = subscriptionSummary({ ...subscription, amountMinor: BigInt(amountMinor) });
  const input: [SubscriptionWorkflowInput] = [{ subscriptionId, merchantId, isTest }];
  await getClient().workflow.signalWithStart(subscriptionWorkflowType, {
    ...subscriptionStartOptions({ subscriptionId, merchantId, summary }),
    args: input,
    signal: clockMoved,
    signalArgs: [],
  });
}
