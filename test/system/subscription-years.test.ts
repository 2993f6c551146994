import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld, type World } from '../support/world.ts';
import { shortcomingsOf, tableOf } from '../years/report.ts';
import { runYears } from '../years/run.ts';

const seed = Number(process.env['YEARS_SEED'] ?? randomInt(2 ** 31));

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

test('over simulated years every period is charged once, at its date and for its amount, as an independent calculation says', async () => {
  process.stdout.write(`YEARS_SEED=${seed}\n`);
  const run = await runYears(world, { seed, years: 1.5, subscriptions: 8, clocks: 4, kills: 1 });
  process.stdout.write(`${tableOf(run)}\n`);
  expect(shortcomingsOf(run)).toEqual([]);
}, 300_000);
