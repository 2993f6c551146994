import { Command } from 'commander';
import { doneOf, memoryOf, sendRows, shortcomingsOf, untilBatch } from '../test/batch/run.ts';
import type { Batch } from '../test/support/batch-call.ts';
import { until } from '../test/support/until.ts';
import { startWorld, type World } from '../test/support/world.ts';
import { createProgress, say } from './progress.ts';
import { wholeNumber } from './whole-number.ts';

const rowsDefault = 50_000;
/** When so much of it is done, worker and API are killed. */
const killsAt = [0.33, 0.66];
/** A slow machine starts so many rows a second at least. */
const rateMin = 5;

interface Figures {
  readonly rowsPerSecond: number;
  readonly secondRunSeconds: number;
  readonly memory: Readonly<Record<'api' | 'worker', { readonly before: number; peak: number }>>;
}

/** `campaign batch`: a large file of payments, with both processes killed twice in its middle, and then the same file again. */
export function batchCampaign(): Command {
  return new Command('batch')
    .description('Start a large batch, kill worker and API twice in its middle, and run the same file again.')
    .option('--rows <count>', 'how many', wholeNumber, rowsDefault)
    .action(async ({ rows }: { rows: number }) => {
      say(`batch: ${rows} rows; starting a world`);
      const world = await startWorld();
      try {
        const { figures, shortcomings } = await run(world, rows);
        say(tableOf(figures));
        for (const shortcoming of shortcomings) say(`\n${shortcoming}`);
        say(shortcomings.length === 0 ? '\nbatch: all well' : `\nbatch: FAILED, ${shortcomings.length} shortcoming(s)`);
        process.exitCode = shortcomings.length === 0 ? 0 : 1;
      } finally {
        await world.close();
      }
    });
}

async function run(world: World, count: number): Promise<{ figures: Figures; shortcomings: string[] }> {
  const memory = {
    api: { before: memoryOf(world.api), peak: 0 },
    worker: { before: memoryOf(world.worker), peak: 0 },
  };
  const watch = setInterval(() => {
    for (const name of ['api', 'worker'] as const)
      memory[name].peak = Math.max(memory[name].peak, memoryOf(world[name]));
  }, 500);
  try {
    const first = await start(world, count, 'first');
    const over = await throughKills(world, first.id, count);
    await atRest(world);
    const shortcomings = await shortcomingsOf(world, over, count);
    if (over.rows.started !== count) shortcomings.push(`the first run started ${over.rows.started} of ${count}`);
    const begun = performance.now();
    const second = await end(world, (await start(world, count, 'second')).id, count);
    if (second.rows.existing !== count) shortcomings.push(`the second run found ${second.rows.existing} of ${count}`);
    const secondRunSeconds = (performance.now() - begun) / 1_000;
    return { figures: { rowsPerSecond: rateOf(over), secondRunSeconds, memory }, shortcomings };
  } finally {
    clearInterval(watch);
  }
}

async function start(world: World, count: number, key: string): Promise<Batch> {
  const begun = performance.now();
  const batch = await sendRows(world, count, { query: { reference: 'campaign' }, key });
  say(`the file is checked and staged after ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
  return batch;
}

async function throughKills(world: World, id: string, count: number): Promise<Batch> {
  const progress = createProgress(count);
  for (const share of killsAt) {
    await reaching(world, id, count, progress, (batch) => doneOf(batch) >= share * count);
    say(`killing worker and API at ${share * 100} %`);
    await Promise.all([world.worker.kill(), world.api.kill()]);
    await Promise.all([world.worker.start(), world.api.start()]);
  }
  return end(world, id, count, progress);
}

function end(world: World, id: string, count: number, progress = createProgress(count)): Promise<Batch> {
  return reaching(world, id, count, progress, ({ status }) => status === 'completed');
}

function reaching(
  world: World,
  id: string,
  count: number,
  progress: ReturnType<typeof createProgress>,
  is: (batch: Batch) => boolean,
): Promise<Batch> {
  let told = -1;
  const tell = (batch: Batch) => {
    if (doneOf(batch) !== told) progress(doneOf(batch), 0);
    told = doneOf(batch);
    return is(batch);
  };
  return untilBatch(world, id, 'the batch goes on', tell, (count / rateMin) * 1_000 + 60_000);
}

async function atRest(world: World): Promise<void> {
  await until(
    'every payment came to rest',
    async () => {
      const { rowCount } = await world.admin.query(`SELECT FROM payments WHERE status = 'pending' LIMIT 1`);
      return rowCount === 0;
    },
    { withinMs: 600_000, everyMs: 1_000 },
  );
}

function rateOf({ rows, started_at: from, finished_at: to }: Batch): number {
  return rows.total / ((Date.parse(to ?? '') - Date.parse(from ?? '')) / 1_000);
}

function tableOf({ rowsPerSecond, secondRunSeconds, memory }: Figures): string {
  const line = (what: string, is: string) => `${what.padEnd(40)}${is}`;
  const megabytes = ({ before, peak }: { before: number; peak: number }) =>
    `${before.toFixed()} MB before, ${peak.toFixed()} MB at most`;
  return [
    '',
    line('rows per second, kills included', rowsPerSecond.toFixed(1)),
    line('the same file again', `${secondRunSeconds.toFixed(1)} s`),
    line('memory of the API', megabytes(memory.api)),
    line('memory of the worker', megabytes(memory.worker)),
  ].join('\n');
}
