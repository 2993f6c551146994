import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testProcess } from '../test/support/test-process.ts';
import { freePorts, type World } from '../test/support/world.ts';
import { httpReady, outputReady } from '../workers/dev/readiness.ts';
import type { LoadTarget } from './load.ts';

/** Starts the floor's API and worker on the world's Temporal server. */
export async function startFloor(world: World): Promise<{ target: LoadTarget; close(): Promise<void> }> {
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
  return {
    target: { url, apiKey: 'none' },
    async close() {
      await Promise.all([worker.kill(), api.kill()]);
      rmSync(folder, { recursive: true });
    },
  };
}
