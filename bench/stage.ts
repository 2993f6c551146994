import { startWorld, type World } from '../test/support/world.ts';
import type { Watched } from './cpu.ts';
import { type Floor, startFloor } from './floor.ts';

/** A fresh world with the floor beside it, for one part of the benchmark. */
export interface Stage {
  readonly world: World;
  readonly floor: Floor;
  readonly watched: Watched;
}

/** Starts everything, does the work, and ends everything. All processes run as they are shipped: durable, logging. */
export async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const world = await startWorld({ durable: true });
  try {
    const floor = await startFloor(world);
    try {
      return await work({ world, floor, watched: watchedOf(floor, world) });
    } finally {
      await floor.close();
    }
  } finally {
    await world.close();
  }
}

/** The processes of a product at work. */
export type Processes = Pick<World, 'api' | 'worker' | 'temporalServer' | 'postgres' | 'simulators'>;

/**
 * Processes of several makers stand under the same names, the floor's API and worker too: only one of them is at work in a
 * round.
 */
export function watchedOf(floor: Pick<Floor, 'api' | 'worker'>, ...products: readonly Processes[]): Watched {
  return {
    api: [floor.api.pid, ...products.map(({ api }) => api.pid)],
    worker: [floor.worker.pid, ...products.map(({ worker }) => worker.pid)],
    temporal: products.map(({ temporalServer }) => temporalServer.pid),
    postgres: products.map(({ postgres }) => postgres.pid),
    simulators: products.map(({ simulators }) => simulators.pid),
  };
}
