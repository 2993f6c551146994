import { Runtime, type RuntimeOptions } from '@temporalio/worker';
import type { Logger } from '../runtime/logger.ts';
import type { MetricsPage } from '../runtime/metrics.ts';
import { type MetricsServer, startMetricsServer } from '../runtime/metrics-server.ts';
import { freePort } from './free-port.ts';

const loopback = '127.0.0.1';
const installTriesMax = 3;

/**
 * Installs the SDK's runtime; before any connection, once per process. With `isMeasured` its own metrics are to be read at the
 * address that it returns, on loopback alone.
 */
export async function installRuntime(options: RuntimeOptions, isMeasured: boolean): Promise<URL | null> {
  if (!isMeasured) {
    Runtime.install(options);
    return null;
  }
  for (let tries = 1; ; tries += 1) {
    // The exporter cannot say which port it chose, so it is told one.
    const bindAddress = `${loopback}:${await freePort()}`;
    const prometheus = { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true };
    try {
      Runtime.install({ ...options, telemetryOptions: { ...options.telemetryOptions, metrics: { prometheus } } });
      return new URL(`http://${bindAddress}/metrics`);
    } catch (error) {
      if (tries === installTriesMax) throw error; // not what a port taken meanwhile looks like
    }
  }
}

/** Serves the worker's page, the SDK's metrics at its end; null without a port. */
export async function serveWorkerMetrics(
  settings: { readonly METRICS_HOST: string; readonly METRICS_PORT?: number | undefined },
  page: MetricsPage,
  sdkMetrics: URL | null,
  logger: Logger,
): Promise<MetricsServer | null> {
  if (settings.METRICS_PORT === undefined) return null;
  const [host, port] = [settings.METRICS_HOST, settings.METRICS_PORT];
  const server = await startMetricsServer({ host, port, page, appended: sdkMetrics });
  logger.info({ host, port: server.port }, 'metrics ready');
  return server;
}
