import { randomUUID } from 'node:crypto';
import { cancellationSignal, getClient, heartbeat } from '@temporalio/activity';
import {
  claimDeliveries,
  type Delivery,
  type DeliveryResult,
  giveUpOverdueDeliveries,
  recordDeliveryResults,
  restoreStalledDeliveries,
} from '../prisma/deliveries.ts';
import { deliveryStartOptions, deliveryWorkflowType } from '../workflows/delivery-contract.ts';
import type { DispatchTally } from '../workflows/delivery-ports.ts';
import { createBatch } from './batch.ts';
import { Bell } from './bell.ts';
import type { DeliveryDeps } from './delivery-deps.ts';
import { retryDelayMaxMs } from './delivery-slots.ts';
import { reportAlerts } from './give-up-delivery.ts';
import { tell } from './notifications/tell.ts';
import { settleDelivery } from './settle-delivery.ts';

const turnMs = 3_600_000;
/** The net below NOTIFY, and between two heartbeats. */
const lookEveryMs = 2_000;
const tryTimeoutMs = 5_000;
/** Longer than a try and what follows it; so long a row waits when its claimant died. */
const leaseMs = 15_000;
const startTimeoutMs = 4_000;
const firstRetryMs = 5_000;

const inFlightMax = 200;
const perReceiverMax = 8;
/** A receiver whose last try failed is probed by one at a time: it holds few connections, and its backlog waits cheaply. */
const perFailingReceiverMax = 1;

const tidyEveryMs = 60_000;
/** A workflow tries at least every `retryDelayMaxMs`. */
const stalledForMs = 2 * retryDelayMaxMs;
/** What a receiver that hangs had no room for until then is given up, as what its workflow tried in vain is. */
const overdueAfterMs = 3 * 86_400_000;

/** Drains one shard, for an hour or until it is canceled or its process stops. Ends what it began in each case. */
export async function dispatchDeliveries(
  deps: DeliveryDeps,
  { shard }: { readonly shard: number },
): Promise<DispatchTally> {
  const dispatcher = new Dispatcher(deps, shard);
  return dispatcher.run(AbortSignal.any([cancellationSignal(), deps.stopping]));
}

class Dispatcher {
  readonly #deps: DeliveryDeps;
  readonly #shard: number;
  readonly #claimant = randomUUID();
  readonly #client = getClient();
  readonly #bell = new Bell();
  readonly #tries = new Set<Promise<void>>();
  readonly #inFlight = new Map<string, number>();
  readonly #failing = new Set<string>();
  readonly #record: (result: DeliveryResult) => Promise<void>;
  readonly #tally = { delivered: 0, handedOver: 0, ended: 0 };

  constructor(deps: DeliveryDeps, shard: number) {
    this.#deps = deps;
    this.#shard = shard;
    this.#record = createBatch((results) => recordDeliveryResults(deps.db, results));
  }

  async run(stopping: AbortSignal): Promise<DispatchTally> {
    const ring = () => this.#bell.ring();
    const stopListening = this.#deps.listener.onDue(this.#shard, ring);
    stopping.addEventListener('abort', ring);
    const end = Date.now() + turnMs;
    let tidyAt = 0;
    try {
      while (!stopping.aborted && Date.now() < end) {
        heartbeat({ ...this.#tally, inFlight: this.#tries.size });
        if (Date.now() >= tidyAt) {
          await this.#tidyUp();
          tidyAt = Date.now() + tidyEveryMs;
        }
        await this.#claim();
        await this.#bell.rung(lookEveryMs);
      }
    } finally {
      stopping.removeEventListener('abort', ring);
      stopListening();
      await Promise.all(this.#tries);
    }
    return { ...this.#tally };
  }

  async #tidyUp(): Promise<void> {
    const { db, logger } = this.#deps;
    const shard = this.#shard;
    const restored = await restoreStalledDeliveries(db, shard, stalledForMs);
    if (restored > 0) logger.warn({ shard, count: restored }, 'deliveries that nobody tried for hours are due again');
    const { count, opened } = await giveUpOverdueDeliveries(db, shard, overdueAfterMs);
    if (count > 0) logger.warn({ shard, count }, 'deliveries are given up: there was no room for them for days');
    reportAlerts(this.#deps, opened);
  }

  async #claim(): Promise<void> {
    const limit = inFlightMax - this.#tries.size;
    if (limit <= 0) return;
    const known = new Set([...this.#inFlight.keys(), ...this.#failing]);
    const claimed = await claimDeliveries(this.#deps.db, {
      shard: this.#shard,
      claimant: this.#claimant,
      leaseMs,
      limit,
      perReceiverMax,
      rooms: new Map([...known].map((receiver) => [receiver, this.#roomFor(receiver)])),
    });
    for (const delivery of claimed) this.#begin(delivery);
  }

  #roomFor(receiver: string): number {
    const most = this.#failing.has(receiver) ? perFailingReceiverMax : perReceiverMax;
    return Math.max(0, most - (this.#inFlight.get(receiver) ?? 0));
  }

  #begin(delivery: Delivery): void {
    const { receiver } = delivery;
    this.#inFlight.set(receiver, (this.#inFlight.get(receiver) ?? 0) + 1);
    const trying = this.#try(delivery).finally(() => {
      // More may have been due than there was room for.
      if (this.#roomFor(receiver) === 0 || this.#tries.size >= inFlightMax) this.#bell.ring();
      this.#tries.delete(trying);
      const rest = (this.#inFlight.get(receiver) ?? 1) - 1;
      if (rest === 0) this.#inFlight.delete(receiver);
      else this.#inFlight.set(receiver, rest);
    });
    this.#tries.add(trying);
  }

  /** Never throws: what cannot be written down is due again when its lease has run out, and then told again. */
  async #try(delivery: Delivery): Promise<void> {
    try {
      const telling = await tell(this.#deps, delivery, tryTimeoutMs);
      if (telling.kind === 'again') this.#failing.add(delivery.receiver);
      else if (telling.kind === 'delivered') this.#failing.delete(delivery.receiver);
      const result = await settleDelivery(this.#deps, delivery, telling);
      if (telling.kind === 'again') await this.#handOver(delivery, telling.retryAfterMs ?? 0);
      await this.#record(result);
      this.#tally[tallyOf[result.state]] += 1;
    } catch (err) {
      this.#deps.logger.warn({ err, delivery_id: delivery.id }, 'a delivery is left to the next claim');
    }
  }

  /** Before the row says `retrying`: nobody else would look at it for hours. */
  async #handOver({ id, receiver, merchantId, event }: Delivery, retryAfterMs: number): Promise<void> {
    const firstTryInMs = Math.min(retryDelayMaxMs, Math.max(firstRetryMs, retryAfterMs));
    const options = deliveryStartOptions({ deliveryId: id, receiver, firstTryInMs }, { merchantId, event });
    await this.#client.withDeadline(Date.now() + startTimeoutMs, () =>
      this.#client.workflow.start(deliveryWorkflowType, options),
    );
  }
}

const tallyOf = {
  delivered: 'delivered',
  retrying: 'handedOver',
  failed: 'ended',
  skipped: 'ended',
} as const satisfies Record<DeliveryResult['state'], keyof DispatchTally>;
