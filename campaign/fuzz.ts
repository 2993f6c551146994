import { randomInt } from 'node:crypto';
import { Command } from 'commander';
import { type FuzzPlan, fuzz } from '../test/fuzz/fuzz.ts';
import { shortcomingsOf, tableOf } from '../test/fuzz/report.ts';
import { expectRest } from '../test/fuzz/rest.ts';
import { startWorld } from '../test/support/world.ts';
import { createProgress, say } from './progress.ts';
import { wholeNumber } from './whole-number.ts';

/** Fewer requests than these show little more than the tests do. */
const requestsDefault = 5_000;

/** `campaign fuzz`: requests made from the OpenAPI document, good and spoiled, against every operation. */
export function fuzzCampaign(): Command {
  return new Command('fuzz')
    .description('Send random requests, made from the OpenAPI document, to every operation and judge every answer.')
    .option('--requests <count>', 'how many', wholeNumber, requestsDefault)
    .option('--seed <number>', 'repeats the requests of an earlier run; drawn if absent', wholeNumber)
    .option('--concurrency <count>', 'how many at a time', wholeNumber, 8)
    .action(
      async ({ requests, concurrency, seed = randomInt(2 ** 31) }: Partial<FuzzPlan> & Omit<FuzzPlan, 'seed'>) => {
        const shortcomings = await run({ seed, requests, concurrency });
        for (const shortcoming of shortcomings) say(`\n${shortcoming}`);
        say(
          shortcomings.length === 0
            ? '\nfuzz: all well'
            : `\nfuzz: FAILED, ${shortcomings.length} finding(s); --seed ${seed} repeats it`,
        );
        process.exitCode = shortcomings.length === 0 ? 0 : 1;
      },
    );
}

async function run(plan: FuzzPlan): Promise<string[]> {
  say(`fuzz: seed ${plan.seed}, ${plan.requests} requests; starting a world`);
  const world = await startWorld();
  try {
    const progress = createProgress(plan.requests);
    const fuzzed = await fuzz(world, plan, ({ done, findings }) => progress(done, findings.size));
    say(`\n${tableOf(fuzzed)}`);
    say('\nwaiting until every payment came to rest; then the invariants');
    const broken = await expectRest(world).then(
      () => [],
      (error: unknown) => [String(error)],
    );
    return [...shortcomingsOf(fuzzed), ...broken];
  } finally {
    await world.close();
  }
}
