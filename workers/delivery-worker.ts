import { Client } from '@temporalio/client';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { DeliveryDeps } from '../activities/delivery-deps.ts';
import { createDeliveryActivities } from '../activities/delivery-index.ts';
import { DeliverySlots } from '../activities/delivery-slots.ts';
import { createMailSender } from '../activities/notifications/mail.ts';
import { createWebhookSender } from '../activities/notifications/webhook.ts';
import { openDatabase, serviceLimits } from '../prisma/database.ts';
import { listenForDeliveries } from '../prisma/delivery-listener.ts';
import { createAddressGuard } from '../runtime/address-guard.ts';
import { createSecretBox } from '../runtime/secret-box.ts';
import type { readSettings, workerSettings } from '../runtime/settings.ts';
import { product } from '../runtime/version.ts';
import {
  deliveryTaskQueue,
  dispatchStartOptions,
  dispatchWorkflowType,
  shards,
} from '../workflows/delivery-contract.ts';

type Settings = ReturnType<typeof readSettings<typeof workerSettings>>;

/** A worker with what it alone uses. */
export interface DeliveryWorker {
  readonly worker: Worker;
  /** Starts the dispatchers, and again those that were ended, until it is closed. */
  keepDispatching(): Promise<void>;
  /** Dispatchers end what they began, and no more. Call it before the worker shuts down. */
  stopDispatching(): void;
  /** After the worker has ended. */
  close(): Promise<void>;
}

/** Apart from the connections that payments use, so that no backlog of deliveries makes a payment wait for one. */
const databaseConnectionsMax = 6;
/** A dispatcher per shard, and tries of deliveries that failed once. */
const activitiesMax = shards + 100;
const cachedWorkflowsMax = 200;
const startDispatchersEveryMs = 30_000;

/** Makes the worker that tells receivers of events, with a task queue, slots, connections and senders of its own. */
export async function createDeliveryWorker(
  common: Pick<WorkerOptions, 'namespace' | 'dataConverter' | 'workflowBundle' | 'shutdownGraceTime'> &
    Required<Pick<WorkerOptions, 'connection'>>,
  settings: Settings,
  { logger, metrics }: Pick<DeliveryDeps, 'logger' | 'metrics'>,
): Promise<DeliveryWorker> {
  const stopping = new AbortController();
  const deps = createDeps(settings, { logger, metrics, stopping: stopping.signal });
  const worker = await Worker.create({
    ...common,
    taskQueue: deliveryTaskQueue,
    activities: createDeliveryActivities(deps),
    maxConcurrentActivityTaskExecutions: activitiesMax,
    maxCachedWorkflows: cachedWorkflowsMax,
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
  });
  const client = clientOf(common);
  let stopKeeping = () => {};
  return {
    worker,
    async keepDispatching() {
      stopKeeping = await keepDispatchers(client, logger);
    },
    stopDispatching() {
      stopKeeping();
      stopping.abort();
    },
    async close() {
      deps.mails?.close();
      await Promise.all([deps.webhooks.close(), deps.listener.close(), deps.db.close()]);
    },
  };
}

function createDeps(settings: Settings, ours: Pick<DeliveryDeps, 'logger' | 'metrics' | 'stopping'>): DeliveryDeps {
  const { logger } = ours;
  const { DATABASE_URL: url, SMTP_URL: smtpUrl } = settings;
  if (smtpUrl === undefined) logger.warn('no SMTP_URL: mails to payers are not sent but marked as skipped');
  const guard = createAddressGuard({ allowsPrivate: settings.WEBHOOK_ALLOW_PRIVATE_ADDRESSES });
  return {
    db: openDatabase({ url, connectionsMax: databaseConnectionsMax, ...serviceLimits }, (err) =>
      logger.warn({ err }, 'lost an idle database connection'),
    ),
    secretBox: createSecretBox(settings.STORED_SECRETS_KEYS),
    webhooks: createWebhookSender(guard, `${product.name}/${product.version}`),
    mails: smtpUrl === undefined ? null : createMailSender(smtpUrl, settings.MAIL_FROM),
    listener: listenForDeliveries(url, (err) =>
      logger.warn({ err }, 'lost the connection that listens for deliveries'),
    ),
    slots: new DeliverySlots(),
    ...ours,
  };
}

function clientOf({ connection, namespace, dataConverter }: Parameters<typeof createDeliveryWorker>[0]): Client {
  return new Client({
    connection,
    ...(namespace === undefined ? {} : { namespace }),
    ...(dataConverter === undefined ? {} : { dataConverter }),
  });
}

/**
 * Starts one dispatcher per shard, and again those that were ended meanwhile, until the answered function is called. Throws
 * when Temporal does not answer at first; later it is asked again.
 */
export async function keepDispatchers(
  client: Client,
  logger: DeliveryDeps['logger'],
  everyMs: number = startDispatchersEveryMs,
): Promise<() => void> {
  await startDispatchers(client);
  const again = setInterval(() => {
    startDispatchers(client).catch((err: unknown) => logger.warn({ err }, 'cannot see to the dispatchers now'));
  }, everyMs);
  return () => clearInterval(again);
}

/** Those that run are left alone. */
async function startDispatchers(client: Client): Promise<void> {
  const all = Array.from({ length: shards }, (_, shard) => dispatchStartOptions(shard));
  await Promise.all(all.map((options) => client.workflow.start(dispatchWorkflowType, options)));
}
