import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shortcomingsOf, tableOf } from '../model/report.ts';
import { expectModelRest, runModel } from '../model/run.ts';
import { startWorld, type World } from '../support/world.ts';

const numberOf = (name: string) => (process.env[name] === undefined ? undefined : Number(process.env[name]));
const plan = {
  seed: numberOf('MODEL_SEED') ?? randomInt(2 ** 31),
  sequences: numberOf('MODEL_SEQUENCES') ?? 45,
  concurrency: 15,
  kills: 1,
  only: numberOf('MODEL_ONLY'),
  path: process.env['MODEL_PATH'],
};

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

test('whatever is done to payments, together, again and through faults, they stand as a model says, and all books agree', async () => {
  process.stdout.write(`MODEL_SEED=${plan.seed}\n`);
  const run = await runModel(world, plan);
  process.stdout.write(`${tableOf(run)}\n`);
  expect(shortcomingsOf(run)).toEqual([]);
  await expectModelRest(world);
}, 600_000);
