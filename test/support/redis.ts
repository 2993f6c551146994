import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Certificates } from './certificates.ts';
import { type TestProcess, testProcess } from './test-process.ts';
import { freePorts } from './world.ts';

/** Whether this machine has Debian's `redis-server`. Where it has not, tests are skipped, which fails the run in CI. */
export const hasRedis = isInstalled();

function isInstalled(): boolean {
  try {
    return execFileSync('redis-server', ['--version'], { stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
}

/** A Redis of a test's own, which keeps nothing: killed, it comes back empty. */
export interface TestRedis {
  readonly url: string;
  readonly tlsUrl: string;
  readonly process: TestProcess;
  /** Sends a command. */
  call(command: string, ...given: string[]): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts a Redis on a free port; with certificates, it takes TLS at another one, `tlsUrl`. Close it in `afterAll`. */
export async function startRedis(certificates?: Certificates): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'payments-redis-'));
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const url = `redis://127.0.0.1:${port}`;
  const server = testProcess(
    {
      name: 'redis',
      command: 'redis-server',
      args: [...serverArguments(port, folder), ...(certificates ? tlsArguments(tlsPort, certificates) : [])],
      env: { PATH: process.env['PATH'] },
      ready: () => isAnswering(url),
      stopTimeoutMs: 5_000,
    },
    join(folder, 'redis.log'),
  );
  await server.start();
  return {
    url,
    tlsUrl: `rediss://127.0.0.1:${tlsPort}`,
    process: server,
    call: (command, ...given) => ask(url, (redis) => redis.call(command, ...given)),
    async close() {
      if (server.isRunning) await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function serverArguments(port: number, folder: string): string[] {
  return ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
}

function tlsArguments(port: number, { authority, certificate, key }: Certificates): string[] {
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', authority];
  return ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files];
}

function isAnswering(url: string): Promise<boolean> {
  return ask(url, async (redis) => (await redis.ping()) === 'PONG').catch(() => false);
}

async function ask<Answer>(url: string, question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}
