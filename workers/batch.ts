import { createWriteStream } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { ratePerSecondMax } from '../workflows/batch-contract.ts';
import { batchKinds, isBatchOpen } from '../workflows/domain/batch.ts';
import {
  type Access,
  type Batch,
  Refused,
  readAccess,
  readBatch,
  readResult,
  sendFile,
  steerBatch,
} from './batch-calls.ts';
import { createBatchProgress } from './batch-progress.ts';

/** How this program ends: every row is there; something failed; the file has errors; rows were refused or canceled. */
const exitCodes = { well: 0, failed: 1, invalid: 2, incomplete: 3 } as const;

/** Between two looks at a batch that runs. */
const lookEveryMs = 1_000;
/** An API that is away for so long is given up; the batch goes on without this program. */
const awayMaxMs = 120_000;

/** `npm run batch`: starts files of subscriptions or payments through the API, and steers them. */
const program = new Command('batch').description(
  'Start files of subscriptions or payments, and steer them. Takes API_URL and API_KEY, or what `npm start` wrote down.',
);

program
  .command('start')
  .description('check a file, start its rows and show how it goes; the batch goes on without this program')
  .addArgument(new Argument('<kind>', 'what the rows make').choices(batchKinds))
  .argument('<file>', 'CSV, or NDJSON if it ends with .ndjson or .jsonl')
  .option(
    '--reference <text>',
    'with a row’s key it names what the row makes; the file’s name without its ending if absent',
  )
  .option('--dry-run', 'only check the file', false)
  .option('--rate <rows>', 'start so many rows a second at most', pace)
  .option('--idempotency-key <key>', 'the key of an earlier call, to learn what became of it')
  .option('--no-wait', 'end as soon as the batch is accepted')
  .action((kind: string, file: string, options: StartOptions) =>
    run(async (access) => {
      const reference = options.reference ?? basename(file, extname(file));
      const { dryRun: isDryRun, rate = null, idempotencyKey = null } = options;
      const batch = await sendFile(access, { path: file, kind, reference, isDryRun, rate, idempotencyKey }, complain);
      if (isDryRun) return say(`${batch.rows.total} rows are right; nothing was started`);
      say(`${batch.id} · ${batch.rows.total} ${kind} · reference ${reference}`);
      if (options.wait) await follow(access, batch);
    }),
  );

interface StartOptions {
  readonly reference?: string;
  readonly dryRun: boolean;
  readonly rate?: number;
  readonly idempotencyKey?: string;
  readonly wait: boolean;
}

program
  .command('status')
  .description('print a batch')
  .argument('<id>')
  .option('--follow', 'show how it goes, until it is over', false)
  .action((id: string, { follow: follows }: { follow: boolean }) =>
    run(async (access) => {
      const batch = await readBatch(access, id);
      if (follows) await follow(access, batch);
      else print(batch);
    }),
  );

for (const [act, description] of [
  ['pause', 'start no more rows until it is resumed'],
  ['resume', 'go on with a paused batch'],
  ['cancel', 'start no more rows, for good'],
] as const)
  program
    .command(act)
    .description(description)
    .argument('<id>')
    .option('--reason <text>', 'why, for whoever looks at the batch in Temporal')
    .action((id: string, { reason }: { reason?: string }) =>
      run(async (access) => print(await steerBatch(access, id, act, reason))),
    );

program
  .command('throttle')
  .description('change the pace of a batch')
  .argument('<id>')
  .argument('<rows>', 'started per second at most; 0: as many as there can be', (text) =>
    text === '0' ? 0 : pace(text),
  )
  .option('--reason <text>', 'why, for whoever looks at the batch in Temporal')
  .action((id: string, rows: number, { reason }: { reason?: string }) =>
    run(async (access) => print(await steerBatch(access, id, { rate: rows === 0 ? null : rows }, reason))),
  );

program
  .command('result')
  .description('write what became of every row, as CSV')
  .argument('<id>')
  .option('--out <file>', 'to this file instead of the terminal')
  .action((id: string, { out }: { out?: string }) =>
    run(async (access) => {
      const result = await readResult(access, id);
      await (out === undefined
        ? pipeline(result, process.stdout, { end: false })
        : pipeline(result, createWriteStream(out)));
    }),
  );

/** Shows a batch until it is over; an API that is away for a while is waited for. */
async function follow(access: Access, started: Batch): Promise<void> {
  const { stderr } = process;
  const progress = createBatchProgress({
    isTTY: stderr.isTTY,
    columns: stderr.columns,
    write: (text) => void stderr.write(text),
  });
  let batch = started;
  let seenAt = performance.now();
  while (isBatchOpen(batch.status as Parameters<typeof isBatchOpen>[0])) {
    progress.show(batch);
    await pause(lookEveryMs);
    try {
      batch = await readBatch(access, batch.id);
      seenAt = performance.now();
    } catch (error) {
      const isAway = error instanceof TypeError || (error instanceof Refused && error.code === 'unavailable');
      if (!isAway || performance.now() - seenAt > awayMaxMs) throw error;
    }
  }
  progress.show(batch);
  progress.end();
  print(batch);
}

function print(batch: Batch): void {
  process.stdout.write(`${JSON.stringify(batch, null, 2)}\n`);
  const { refused, canceled } = batch.rows;
  if (refused + canceled > 0) process.exitCode = exitCodes.incomplete;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}

function pace(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= ratePerSecondMax) return Number(text);
  throw new InvalidArgumentError(`must be a whole number from 1 to ${ratePerSecondMax}`);
}

async function run(work: (access: Access) => Promise<void>): Promise<void> {
  await work(readAccess(process.env, join(process.env['DATA_DIR'] ?? '.data', 'dev.json')));
}

program.parseAsync().catch((error: unknown) => {
  complain(error instanceof Error ? wordsOf(error) : String(error));
  const isInvalid = error instanceof Refused && error.code === 'batch_invalid';
  process.exitCode = isInvalid ? exitCodes.invalid : exitCodes.failed;
});

function wordsOf(error: Error): string {
  if (!(error instanceof TypeError)) return error.message;
  return `${error.message}: does the API run where API_URL says? What was accepted goes on; a repeat with the same key and reference starts nothing twice.`;
}
