import { readFile, writeFile } from 'node:fs/promises';
import { measureBatches } from './batches.ts';
import { aimsOf, disturbances, type Results, ratiosOf } from './findings.ts';
import { describeMachine, readVersions } from './machine.ts';
import {
  accessKinds,
  batchKinds,
  movementKinds,
  type Options,
  paymentKinds,
  readKinds,
  readOptions,
} from './options.ts';
import { measureAccess, measureAgainst, measureMovements, measurePayments, measureStored } from './parts.ts';
import { chapterTexts, report, withReport } from './report.ts';
import type { Row, Say } from './rounds.ts';
import { onStage, type Stage } from './stage.ts';

const resultsUrl = new URL('results.json', import.meta.url);
const pageUrl = new URL('../docs/benchmark.md', import.meta.url);

/**
 * `npm run bench`: payments over HTTP beside the engine's own floor, what moves their money afterwards, batches, what
 * it costs to know who calls, reads, and what growth does to them; as ratios inside one run. Progress goes to standard error, the report to standard output. `--quick` is a smoke
 * of a minute, `--only <kind>` measures one kind (several: parted by commas), `--against <commit or folder>` holds payments
 * against those of another version (and measures nothing else, unless `--only` names it), `--write-docs` puts the chapters
 * that are whole into docs/benchmark.md.
 */
async function bench(options: Options): Promise<void> {
  const machine = describeMachine();
  warnOf(disturbances({ machine, rows: [] }));
  const started = performance.now();
  const rows: Row[] = [];
  let versions = { postgres: 'unknown', temporal: 'unknown' };
  for (const parts of stagesOf(options)) {
    await onStage(async (stage) => {
      versions = await readVersions(stage.world);
      for (const measure of parts) rows.push(...(await measure(stage, options, say)));
    });
  }
  const minutes = (performance.now() - started) / 60_000;
  const results: Results = { machine: { ...machine, ...versions }, isQuick: options.isQuick, minutes, rows };
  const text = report(results);
  process.stdout.write(`${text}\n`);
  warnOf(disturbances(results));
  if (options.isQuick) return;
  const compared = rows.map((row) => ({ ...row, ...ratiosOf(row, rows) }));
  const all = { ...results, rows: compared, disturbances: disturbances(results), aims: aimsOf(rows) };
  await writeFile(resultsUrl, `${JSON.stringify(all, null, 2)}\n`);
  say('written to bench/results.json');
  if (options.writes.length === 0) return;
  await writeFile(pageUrl, withReport(await readFile(pageUrl, 'utf8'), chapterTexts(results, options.writes)));
  say('written to docs/benchmark.md');
}

type Part = (stage: Stage, options: Options, say: Say) => Promise<Row[]>;

/** Each part has a stage of its own, as what one leaves behind would weigh on the other; a smoke saves the time. */
function stagesOf({ wants, against, isQuick }: Options): Part[][] {
  const parts = [
    ...(against === null ? [] : [measureAgainst]), // first: there may be no such version
    ...(paymentKinds.some(wants) ? [measurePayments] : []),
    ...(movementKinds.some(wants) ? [measureMovements] : []),
    ...(batchKinds.some(wants) ? [measureBatches] : []),
    ...(accessKinds.some(wants) ? [measureAccess] : []),
    ...([...readKinds, 'growth' as const].some(wants) ? [measureStored] : []),
  ];
  return isQuick ? [parts] : parts.map((part) => [part]);
}

function warnOf(reasons: readonly string[]): void {
  for (const reason of reasons) say(`THE MACHINE IS NOT QUIET: ${reason}`);
}

function optionsOrExit(): Options {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

// An orderly exit ends all that was started.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
await bench(optionsOrExit());
