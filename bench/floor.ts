import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aPayment } from '../test/support/api-client.ts';
import { type TestProcess, testProcess } from '../test/support/test-process.ts';
import { freePorts, type World } from '../test/support/world.ts';
import { httpReady, outputReady } from '../workers/dev/readiness.ts';
import type { LoadTarget } from './load.ts';

/** The floor's processes. */
export interface Floor {
  readonly api: TestProcess;
  readonly worker: TestProcess;
  readonly target: LoadTarget;
  close(): Promise<void>;
}

/** Starts the floor's API and worker on the world's Temporal server. */
export async function startFloor(world: World): Promise<Floor> {
  const folder = mkdtempSync(join(tmpdir(), 'payments-floor-'));
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    TEMPORAL_ADDRESS: world.temporalAddress,
    PAYLOAD_CODEC_KEYS: `floor:${Buffer.alloc(32, 7).toString('base64')}`,
    FLOOR_PORT: String(port),
    LOG_LEVEL: 'info',
  };
  const program = (name: string, ready: ReturnType<typeof httpReady>) => {
    const args = [join(import.meta.dirname, `${name}.ts`)];
    return testProcess({ name, command: process.execPath, args, env, ready, stopTimeoutMs: 5_000 }, join(folder, name));
  };
  const worker = program('floor-worker', outputReady('"worker ready"'));
  const api = program('floor-api', httpReady(`${url}/health/ready`));
  await Promise.all([worker.start(), api.start()]);
  const body = JSON.stringify(aPayment());
  return {
    api,
    worker,
    target: {
      url,
      apiKey: 'none',
      request: () => ({ path: '/api/v1/payments', body }),
      expected: { status: 201, text: '"amount":"25.99"' },
    },
    async close() {
      await Promise.all([worker.kill(), api.kill()]);
      rmSync(folder, { recursive: true });
    },
  };
}
