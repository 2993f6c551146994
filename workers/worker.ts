import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { createProviders } from '../activities/providers/index.ts';
import { openDatabase, serviceLimits } from '../prisma/database.ts';
import { createLogger } from '../runtime/logger.ts';
import { announceReady, dieOnUncaught, runProcess } from '../runtime/process.ts';
import { readSettings, workerSettings } from '../runtime/settings.ts';
import { createDataConverter, temporalConfig } from '../runtime/temporal.ts';
import { paymentTaskQueue } from '../workflows/contract.ts';
import { prepareNamespace } from './prepare-namespace.ts';
import { temporalLogger } from './temporal-logger.ts';
import { workflowBundlePath } from './workflow-bundle.ts';

/** Longer than the longest exchange with a provider, so that a stopped worker takes its answers home. */
const shutdownGraceTime = '20 seconds';

runProcess(async () => {
  const settings = readSettings(workerSettings);
  const logger = createLogger('worker', settings.LOG_LEVEL);
  dieOnUncaught(logger);
  Runtime.install({
    shutdownSignals: [], // this process's own, see runProcess
    logger: temporalLogger(logger),
    telemetryOptions:
      settings.WORKER_METRICS_ADDRESS === undefined
        ? {}
        : { metrics: { prometheus: { bindAddress: settings.WORKER_METRICS_ADDRESS } } },
  });
  const dataConverter = createDataConverter(settings.PAYLOAD_CODEC_KEYS);
  const bundle = await workflowBundlePath();
  const { connectionOptions, namespace } = temporalConfig();
  const connection = await NativeConnection.connect(connectionOptions);
  const db = openDatabase(
    { url: settings.DATABASE_URL, connectionsMax: settings.DATABASE_CONNECTIONS_MAX, ...serviceLimits },
    (err) => logger.warn({ err }, 'lost an idle database connection'),
  );
  const providers = createProviders({
    easypay: { url: settings.EASYPAY_URL, apiKey: settings.EASYPAY_API_KEY },
  });
  await prepareNamespace(connection, namespace, dataConverter, logger);
  const worker = await Worker.create({
    connection,
    namespace,
    dataConverter,
    taskQueue: paymentTaskQueue,
    workflowBundle: { codePath: bundle },
    activities: createActivities({ db, providers, logger }),
    shutdownGraceTime,
    maxCachedWorkflows: settings.WORKER_CACHED_WORKFLOWS_MAX,
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
  });
  const running = worker.run();
  running.catch((err: unknown) => {
    logger.fatal({ err }, 'the worker failed, exiting');
    process.exit(1);
  });
  announceReady('worker', { task_queue: paymentTaskQueue, namespace });
  return async () => {
    worker.shutdown();
    await running;
    await Promise.all([...providers.values()].map((provider) => provider.close()));
    await db.close();
    await connection.close();
    logger.info('worker stopped');
  };
});
