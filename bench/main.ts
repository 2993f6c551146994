import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { startWorld } from '../test/support/world.ts';
import { startFloor } from './floor.ts';
import { type LoadResult, type LoadTarget, load } from './load.ts';

/** Rounds of each kind, taken in turn, so that both see the same moods of the machine. */
const rounds = 3;
const plan = [
  { clients: 1, requests: 150 },
  { clients: 24, requests: 1_200 },
] as const;

/** `npm run bench`: payments over HTTP beside the engine's own floor, as ratios inside one run. */
const world = await startWorld({ durable: true, env: { LOG_LEVEL: 'warn' } });
const floor = await startFloor(world);
try {
  const targets = { floor: floor.target, payment: { url: world.apiUrl, apiKey: world.merchant.testKey } };
  say('warming up');
  for (const target of Object.values(targets)) await load(target, 24, 300);
  const rows = [];
  for (const { clients, requests } of plan) rows.push(await measure(targets, clients, requests));
  print(rows);
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), memoryGib: Math.round(totalmem() / 2 ** 30) };
  const results = { measuredAt: new Date().toISOString(), node: process.version, machine, rounds, rows };
  await writeFile(new URL('results.json', import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
  say('written to bench/results.json');
} finally {
  await floor.close();
  await world.close();
}

async function measure(targets: { floor: LoadTarget; payment: LoadTarget }, clients: number, requests: number) {
  const taken: { floor: LoadResult[]; payment: LoadResult[] } = { floor: [], payment: [] };
  for (let round = 1; round <= rounds; round++) {
    for (const kind of ['floor', 'payment'] as const) {
      const result = await load(targets[kind], clients, requests);
      say(
        `${kind}, ${clients} client(s), round ${round}: ${result.rate.toFixed(1)}/s, p50 ${result.p50Ms.toFixed(1)} ms`,
      );
      taken[kind].push(result);
    }
  }
  const [floorMedian, paymentMedian] = [median(taken.floor), median(taken.payment)];
  return {
    clients,
    floor: floorMedian,
    payment: paymentMedian,
    rateRatio: paymentMedian.rate / floorMedian.rate,
    p50Ratio: paymentMedian.p50Ms / floorMedian.p50Ms,
    all: taken,
  };
}

/** The round in the middle by rate. */
function median(results: readonly LoadResult[]): LoadResult {
  const middle = results.toSorted((a, b) => a.rate - b.rate)[Math.floor(results.length / 2)];
  if (middle === undefined) throw new Error('no rounds were measured');
  return middle;
}

function print(rows: readonly Awaited<ReturnType<typeof measure>>[]): void {
  const line = (cells: readonly string[]) => say(`| ${cells.map((cell) => cell.padStart(12)).join(' | ')} |`);
  line(['clients', 'what', 'rate /s', 'p50 ms', 'p95 ms', 'rate ratio', 'p50 ratio']);
  for (const row of rows) {
    for (const kind of ['floor', 'payment'] as const) {
      const { rate, p50Ms, p95Ms } = row[kind];
      const ratios = kind === 'floor' ? ['1', '1'] : [row.rateRatio.toFixed(2), row.p50Ratio.toFixed(2)];
      line([String(row.clients), kind, rate.toFixed(1), p50Ms.toFixed(1), p95Ms.toFixed(1), ...ratios]);
    }
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
