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
      return await work({ world, floor, watched: watchedOf(world, floor) });
    } finally {
      await floor.close();
    }
  } finally {
    await world.close();
  }
}

/** The floor's API and worker stand under the same names as the product's: only one of the two is at work in a round. */
function watchedOf(world: World, floor: Floor): Watched {
  return {
    api: [world.api.pid, floor.api.pid],
    worker: [world.worker.pid, floor.worker.pid],
    temporal: [world.temporalServer.pid],
    postgres: [world.postgres.pid],
    simulators: [world.simulators.pid],
  };
}
