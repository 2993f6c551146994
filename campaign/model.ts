import { randomInt } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { shortcomingsOf, tableOf } from '../test/model/report.ts';
import { expectEventsDone, expectModelRest, type ModelPlan, type ModelRun, runModel } from '../test/model/run.ts';
import { startWorld } from '../test/support/world.ts';
import { createProgress, say } from './progress.ts';
import { wholeNumber } from './whole-number.ts';

const sequencesDefault = 1_000;
/** A worker is killed once in so many sequences. */
const sequencesPerKill = 25;

const pageUrl = new URL('../docs/campaign.md', import.meta.url);
const start = '<!-- model: written by `npm run campaign -- model --write-docs` -->';
const end = '<!-- /model -->';

interface ModelOptions extends Omit<ModelPlan, 'seed' | 'kills'> {
  readonly seed?: number;
  readonly kills?: number;
  readonly writeDocs?: boolean;
}

/** `campaign model`: random lives of payments, through faults and kills, against a model of what may become of them. */
export function modelCampaign(): Command {
  return new Command('model')
    .description('Play random sequences of commands on payments, and hold all books against a model of them.')
    .option('--sequences <count>', 'how many', wholeNumber, sequencesDefault)
    .option('--seed <number>', 'repeats the sequences of an earlier run; drawn if absent', wholeNumber)
    .option('--concurrency <count>', 'how many at a time', wholeNumber, 14)
    .option('--kills <count>', 'how often the worker is killed; once in 25 sequences if absent', wholeNumber)
    .option('--only <index>', 'plays this sequence of the run alone, without kills', wholeNumber)
    .option('--path <path>', 'with --only: the smaller form of it that was printed')
    .option('--write-docs', 'puts the summary into docs/campaign.md')
    .action(async ({ seed = randomInt(2 ** 31), writeDocs = false, kills, ...options }: ModelOptions) => {
      const usual = options.only === undefined ? Math.max(1, Math.floor(options.sequences / sequencesPerKill)) : 0;
      const { run, shortcomings } = await play({ ...options, seed, kills: kills ?? usual });
      for (const shortcoming of shortcomings) say(`\n${shortcoming}`);
      const isWell = shortcomings.length === 0;
      say(
        isWell
          ? '\nmodel: all well'
          : `\nmodel: FAILED, ${shortcomings.length} shortcoming(s); --seed ${seed} repeats it`,
      );
      if (writeDocs) await writePage(reportOf(run, shortcomings));
      process.exitCode = isWell ? 0 : 1;
    });
}

async function play(plan: ModelPlan): Promise<{ run: ModelRun; shortcomings: string[] }> {
  say(`model: seed ${plan.seed}, ${plan.sequences} sequences, ${plan.kills} kills; starting a world`);
  const world = await startWorld();
  try {
    const progress = createProgress(plan.sequences);
    const run = await runModel(world, plan, ({ done, findings }) => progress(done, findings.length));
    say(`\n${tableOf(run)}`);
    say('\nwaiting until all events are done with; then the invariants');
    const atRest = expectEventsDone(world).then(() => expectModelRest(world));
    const broken = await atRest.then(
      () => [],
      (error: unknown) => [String(error)],
    );
    return { run, shortcomings: [...shortcomingsOf(run), ...broken] };
  } finally {
    await world.close();
  }
}

function reportOf(run: ModelRun, shortcomings: readonly string[]): string {
  const { seconds } = run;
  const verdict = shortcomings.length === 0 ? 'all well' : `**${shortcomings.length} shortcoming(s)**`;
  const day = new Date().toISOString().slice(0, 10);
  return `Last long run, ${day}, ${Math.round(seconds / 60)} minutes: ${verdict}.\n\n\`\`\`text\n${tableOf(run)}\n\`\`\``;
}

async function writePage(report: string): Promise<void> {
  const page = await readFile(pageUrl, 'utf8');
  const [before, after] = [page.indexOf(start), page.indexOf(end)];
  if (before < 0 || after < before)
    throw new Error(`docs/campaign.md needs a place for the report: "${start}" and "${end}"`);
  await writeFile(pageUrl, `${page.slice(0, before + start.length)}\n\n${report}\n\n${page.slice(after)}`);
  say('written to docs/campaign.md');
}
