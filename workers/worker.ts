import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { createProviders, type Providers } from '../activities/providers/index.ts';
import { observedProviders } from '../activities/providers/observed.ts';
import { reportProviderCall } from '../activities/report-provider-call.ts';
import { type Database, openDatabase, serviceLimits } from '../prisma/database.ts';
import { hasDemoMerchant } from '../prisma/demo-merchant.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';
import { createWorkerMetrics } from '../runtime/metrics.ts';
import { announceReady, dieOnUncaught, runProcess } from '../runtime/process.ts';
import { requireNoDemoMerchant, requireSafe } from '../runtime/production.ts';
import { readSettings, workerSettings } from '../runtime/settings.ts';
import { createDataConverter, temporalConfig } from '../runtime/temporal.ts';
import { paymentTaskQueue } from '../workflows/contract.ts';
import { createBackgroundWorker } from './background-worker.ts';
import { createDeliveryWorker } from './delivery-worker.ts';
import { prepareNamespace } from './prepare-namespace.ts';
import { temporalLogger } from './temporal-logger.ts';
import { installRuntime, serveWorkerMetrics } from './worker-metrics.ts';
import { workflowBundlePath } from './workflow-bundle.ts';

type Settings = ReturnType<typeof readSettings<typeof workerSettings>>;

/** Longer than the longest exchange with a provider or a receiver, so that a stopped worker takes its answers home. */
const shutdownGraceTime = '20 seconds';

runProcess(async () => {
  const settings = readSettings(workerSettings);
  const { connectionOptions, namespace } = temporalConfig();
  requireSafe(settings, { connectionOptions });
  const logger = createLogger('worker', settings.LOG_LEVEL);
  dieOnUncaught(logger);
  const isMeasured = settings.METRICS_PORT !== undefined;
  const ownSignals = { shutdownSignals: [], logger: temporalLogger(logger) }; // see runProcess
  const sdkMetrics = await installRuntime(ownSignals, isMeasured);
  const dataConverter = createDataConverter(settings.PAYLOAD_CODEC_KEYS);
  const workflowBundle = { codePath: await workflowBundlePath() };
  const db = openPaymentDatabase(settings, logger);
  await requireNoDemoMerchant(settings, () => hasDemoMerchant(db), logger);
  const connection = await NativeConnection.connect(connectionOptions);
  await prepareNamespace(connection, namespace, dataConverter, logger);

  const activitiesOnly = { connection, namespace, dataConverter, shutdownGraceTime };
  const common = { ...activitiesOnly, workflowBundle };
  const metrics = createWorkerMetrics(db.pool);
  const metricsServer = await serveWorkerMetrics(settings, metrics, sdkMetrics, logger);
  const providers = observedProviders(createOurProviders(settings), reportProviderCall({ logger, metrics }));
  const publicApiUrl = settings.PUBLIC_API_URL.replace(/\/+$/, '');
  const deps = { db, providers, logger, metrics, publicApiUrl };
  const payments = await createPaymentWorker(common, deps, settings.WORKER_CACHED_WORKFLOWS_MAX);
  const deliveries = await createDeliveryWorker(common, settings, deps);
  const background = await createBackgroundWorker(activitiesOnly, settings.DATABASE_URL, deps);
  const workers = [payments, deliveries.worker, background.worker];
  const running = runToEnd(workers, logger);
  await deliveries.keepDispatching();
  announceReady('worker', { task_queue: paymentTaskQueue, namespace });
  return async () => {
    deliveries.stopDispatching();
    for (const worker of workers) worker.shutdown();
    await running;
    await Promise.all([deliveries.close(), background.close()]);
    await Promise.all([...providers.values()].map((provider) => provider.close()));
    await db.close();
    await connection.close();
    await metricsServer?.close();
    logger.info('worker stopped');
  };
});

function openPaymentDatabase(settings: Settings, logger: Logger): Database {
  const { DATABASE_URL: url, DATABASE_CONNECTIONS_MAX: connectionsMax } = settings;
  return openDatabase({ url, connectionsMax, ...serviceLimits }, (err) =>
    logger.warn({ err }, 'lost an idle database connection'),
  );
}

function createOurProviders(settings: Settings): Providers {
  return createProviders({
    easypay: { url: settings.EASYPAY_URL, apiKey: settings.EASYPAY_API_KEY },
    paypal: {
      url: settings.PAYPAL_URL,
      clientId: settings.PAYPAL_CLIENT_ID,
      clientSecret: settings.PAYPAL_CLIENT_SECRET,
    },
  });
}

/** The worker on whose queue payments run. */
function createPaymentWorker(
  common: Partial<WorkerOptions>,
  deps: Parameters<typeof createActivities>[0],
  maxCachedWorkflows: number,
): Promise<Worker> {
  return Worker.create({
    ...common,
    taskQueue: paymentTaskQueue,
    activities: createActivities(deps),
    maxCachedWorkflows,
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
  });
}

/** Runs the workers until all of them were told to stop. One that fails takes the process with it: half a worker is none. */
async function runToEnd(workers: readonly Worker[], logger: Logger): Promise<void> {
  try {
    await Promise.all(workers.map((worker) => worker.run()));
  } catch (err) {
    logger.fatal({ err }, 'the worker failed, exiting');
    process.exit(1);
  }
}
