import { fileURLToPath } from 'node:url';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { announceReady, runProcess } from '../runtime/process.ts';
import { commonSettings, readSettings } from '../runtime/settings.ts';
import { createDataConverter, temporalConfig } from '../runtime/temporal.ts';
import { floorTaskQueue } from './floor-contract.ts';

/** The product's worker with nothing to do: same engine settings, same codec, an empty workflow. */
runProcess(async () => {
  const settings = readSettings(commonSettings);
  Runtime.install({ shutdownSignals: [] });
  const { connectionOptions, namespace } = temporalConfig();
  const connection = await NativeConnection.connect(connectionOptions);
  const worker = await Worker.create({
    connection,
    namespace,
    dataConverter: createDataConverter(settings.PAYLOAD_CODEC_KEYS),
    taskQueue: floorTaskQueue,
    workflowsPath: fileURLToPath(new URL('./floor-workflow.ts', import.meta.url)),
    maxCachedWorkflows: 1000,
    workflowTaskPollerBehavior: { type: 'autoscaling' },
  });
  const running = worker.run();
  announceReady('worker', { task_queue: floorTaskQueue });
  return async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
});
