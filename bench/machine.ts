import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import type { World } from '../test/support/world.ts';

/** Where and when the figures come from. */
export interface Machine {
  readonly startedAt: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  /** Processes that ran or wanted to, averaged over the minute before the benchmark started anything. */
  readonly loadBefore: number;
}

/** What the product stood on. */
export interface Versions {
  readonly postgres: string;
  readonly temporal: string;
}

/** The machine as it is now: ask before anything is started. */
export function describeMachine(): Machine {
  return {
    startedAt: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** As the servers themselves say. */
export async function readVersions(world: World): Promise<Versions> {
  const { rows } = await world.admin.query<{ server_version: string }>('SHOW server_version');
  const { serverVersion } = await world.temporal.workflowService.getSystemInfo({});
  return { postgres: rows[0]?.server_version ?? 'unknown', temporal: serverVersion };
}
