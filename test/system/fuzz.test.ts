import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fuzz } from '../fuzz/fuzz.ts';
import { shortcomingsOf, tableOf } from '../fuzz/report.ts';
import { expectRest } from '../fuzz/rest.ts';
import { startWorld, type World } from '../support/world.ts';

const plan = {
  seed: Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31)),
  requests: Number(process.env['FUZZ_REQUESTS'] ?? 3_600),
  concurrency: 8,
};

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

test('every request to every operation, good or spoiled, is answered as the document says, and money stays right', async () => {
  process.stdout.write(`FUZZ_SEED=${plan.seed}\n`);
  const run = await fuzz(world, plan);
  process.stdout.write(`${tableOf(run)}\n`);
  expect(shortcomingsOf(run)).toEqual([]);
  await expectRest(world);
});
