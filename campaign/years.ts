import { randomInt } from 'node:crypto';
import { Command } from 'commander';
import { startWorld } from '../test/support/world.ts';
import { shortcomingsOf, tableOf } from '../test/years/report.ts';
import { runYears, type YearsPlan } from '../test/years/run.ts';
import { createProgress, say } from './progress.ts';
import { wholeNumber } from './whole-number.ts';

interface YearsOptions extends Omit<YearsPlan, 'seed'> {
  readonly seed?: number;
}

/** `campaign years`: simulated years of subscriptions, held against an independent calculation. */
export function yearsCampaign(): Command {
  return new Command('years')
    .description('Simulate years of subscriptions on test clocks, and hold what was charged against a calculation.')
    .option('--years <count>', 'how many', wholeNumber, 3)
    .option('--subscriptions <count>', 'how many live at a time', wholeNumber, 200)
    .option(
      '--clocks <count>',
      'how many test clocks go at the same time, whose days the progress counts',
      wholeNumber,
      12,
    )
    .option('--kills <count>', 'how often the worker is killed', wholeNumber, 12)
    .option('--seed <number>', 'repeats the subscriptions and acts of an earlier run; drawn if absent', wholeNumber)
    .action(async ({ seed = randomInt(2 ** 31), ...options }: YearsOptions) => {
      const plan = { ...options, seed };
      say(`years: seed ${seed}, ${plan.years} years of ${plan.subscriptions} subscriptions; starting a world`);
      const world = await startWorld();
      try {
        const daysInAll = Math.ceil(plan.years * 365.25 * plan.clocks);
        const progress = createProgress(daysInAll);
        const run = await runYears(world, plan, ({ days, findings }) => progress(Math.floor(days), findings));
        say(`\n${tableOf(run)}`);
        const shortcomings = shortcomingsOf(run);
        for (const shortcoming of shortcomings) say(`\n${shortcoming}`);
        const isWell = shortcomings.length === 0;
        say(
          isWell
            ? '\nyears: all well'
            : `\nyears: FAILED, ${shortcomings.length} shortcoming(s); --seed ${seed} repeats it`,
        );
        process.exitCode = isWell ? 0 : 1;
      } finally {
        await world.close();
      }
    });
}
