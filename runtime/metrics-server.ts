import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MetricsPage } from './metrics.ts';

/** A process's own small server for Prometheus and probes. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

interface MetricsServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly page: MetricsPage;
  /** Another page of the same process, in the same format, which is read and appended. */
  readonly appended: URL | null;
}

const appendedTimeoutMs = 2_000;

/** Serves `GET /metrics` and `GET /health/live`. Throws when it cannot listen. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    }
    switch (request.url?.split('?')[0]) {
      case '/metrics':
        return void sendMetrics(response, options).catch(() => response.writeHead(500).end());
      case '/health/live':
        return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
      default:
        return void response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function sendMetrics(response: ServerResponse, { page, appended }: MetricsServerOptions): Promise<void> {
  const own = await page.text();
  const other = appended === null ? '' : await textOf(appended);
  response.writeHead(200, { 'content-type': page.contentType }).end(own + other);
}

/** Half a page is better than none: our own numbers do not depend on the other exporter's health. */
async function textOf(url: URL): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(appendedTimeoutMs) });
    return answer.ok ? await answer.text() : missing;
  } catch {
    return missing;
  }
}

const missing = '# the engine\u2019s own metrics did not answer\n';
