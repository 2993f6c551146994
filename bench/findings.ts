import { strangers } from './cpu.ts';
import type { Machine, Versions } from './machine.ts';
import type { Row } from './rounds.ts';

/** All that a run has found. */
export interface Results {
  readonly machine: Machine & Versions;
  /** Whether it was a smoke: its figures mean nothing. */
  readonly isQuick: boolean;
  readonly minutes: number;
  readonly rows: readonly Row[];
}

/** What we want, beside what was measured; nothing fails by it. */
export interface Aim {
  readonly aim: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** What counts: a row beside others of the same run. Null where there is nothing to compare it with. */
export interface Ratios {
  /** To the floor in the same part, at as many clients, with as much stored. */
  readonly rateToFloor: number | null;
  readonly p50ToFloor: number | null;
  /** To the same kind with as little stored as the part knows. */
  readonly rateToSmallest: number | null;
  /** Our payments' to those of another version. */
  readonly rateToOther: number | null;
}

/** A row's ratios, from the median rounds. */
export function ratiosOf(row: Row, rows: readonly Row[]): Ratios {
  const alike = rows.filter(({ part, clients }) => part === row.part && clients === row.clients);
  const floor = alike.find(({ kind, stored }) => kind === 'floor' && stored === row.stored);
  const [smallest] = alike.filter(({ kind }) => kind === row.kind).toSorted((a, b) => a.stored - b.stored);
  const other = otherOf(row, rows);
  return {
    rateToFloor: floor === undefined ? null : row.median.rate / floor.median.rate,
    p50ToFloor: floor === undefined ? null : row.median.p50Ms / floor.median.p50Ms,
    rateToSmallest: smallest === undefined ? null : row.median.rate / smallest.median.rate,
    rateToOther: other === null ? null : row.median.rate / other.median.rate,
  };
}

/** The other version's payments, beside a row of ours. */
function otherOf(row: Row, rows: readonly Row[]): Row | null {
  if (row.part !== 'against' || row.kind !== 'payment') return null;
  return (
    rows.find(({ part, kind, clients }) => part === 'against' && kind !== 'payment' && clients === row.clients) ?? null
  );
}

/** Those aims for which this run has figures. */
export function aimsOf(rows: readonly Row[]): Aim[] {
  const aims = [
    aloneAim(rows),
    webhookAim(rows),
    ...movementAims(rows),
    ...batchAims(rows),
    ...accessAims(rows),
    readAim(rows),
    growthAim(rows),
  ];
  return [...aims, ...againstAims(rows)].filter((aim) => aim !== null);
}

function aloneAim(rows: readonly Row[]): Aim | null {
  const alone = rows.find(({ part, kind, clients }) => part === 'payments' && kind === 'payment' && clients === 1);
  const ratio = alone && ratiosOf(alone, rows).p50ToFloor;
  if (ratio === undefined || ratio === null) return null;
  return { aim: 'one payment alone: p50 at most 2.5 × the floor’s', measured: ratio.toFixed(2), isMet: ratio <= 2.5 };
}

function webhookAim(rows: readonly Row[]): Aim | null {
  const webhook = rows.find(({ kind, clients }) => kind === 'webhook' && clients > 1);
  const ratio = webhook && ratiosOf(webhook, rows).rateToFloor;
  if (ratio === undefined || ratio === null) return null;
  const aim = `with one webhook delivered, ${webhook?.clients} clients: at least 0.45 × the floor’s rate`;
  return { aim, measured: ratio.toFixed(2), isMet: ratio >= 0.45 };
}

function movementAims(rows: readonly Row[]): Aim[] {
  const movements = rows.filter(({ part, kind }) => part === 'movements' && kind !== 'floor');
  return movements.flatMap((row) => {
    const ratio = ratiosOf(row, rows).p50ToFloor;
    if (ratio === null) return [];
    return { aim: `one ${row.kind} alone: p50 at most 3 × the floor’s`, measured: ratio.toFixed(2), isMet: ratio <= 3 };
  });
}

function batchAims(rows: readonly Row[]): Aim[] {
  const kindOf = (name: string) => rows.find(({ part, kind }) => part === 'batches' && kind === name);
  const [floor, batch, alone, beside] = [kindOf('floor'), kindOf('batch'), kindOf('payment'), kindOf('beside')];
  if (floor === undefined || batch === undefined || alone === undefined || beside === undefined) return [];
  const rate = batch.median.rate / floor.median.rate;
  const p95 = beside.median.p95Ms / alone.median.p95Ms;
  const started = beside.median.batchRate?.toFixed(0) ?? '?';
  return [
    {
      aim: 'subscriptions started by a batch: at least 0.6 × the rate of the floor',
      measured: rate.toFixed(2),
      isMet: rate >= 0.6,
    },
    {
      aim: `payments of ${beside.clients} clients while a batch runs: p95 at most 2 × without it`,
      measured: `${p95.toFixed(2)}, while it started ${started} rows a second`,
      isMet: p95 <= 2,
    },
  ];
}

function accessAims(rows: readonly Row[]): Aim[] {
  const access = rows.filter(({ part }) => part === 'access');
  return access.flatMap((known) => {
    const open = access.find(({ kind, clients }) => kind === 'open' && clients === known.clients);
    if (known.kind !== 'known' || open === undefined) return [];
    const moreMs = known.median.p95Ms - open.median.p95Ms;
    return {
      aim: `a request with a key, ${known.clients} client${known.clients === 1 ? '' : 's'}: p95 less than 5 ms above an open one`,
      measured: `${moreMs.toFixed(1)} ms above`,
      isMet: moreMs < 5,
    };
  });
}

/** The single rounds stand beside the ratio: how far they lie apart is what it is worth. */
function againstAims(rows: readonly Row[]): Aim[] {
  return rows.flatMap((row) => {
    const other = otherOf(row, rows);
    const ratio = ratiosOf(row, rows).rateToOther;
    if (other === null || ratio === null) return [];
    const byRound = row.rounds.map(({ rate }, index) => rate / (other.rounds[index]?.rate ?? Number.NaN));
    const [low, high] = [Math.min(...byRound).toFixed(2), Math.max(...byRound).toFixed(2)];
    return {
      aim: `payments, ${row.clients} client${row.clients === 1 ? '' : 's'}: at least 0.9 × the rate of ${other.kind}`,
      measured: `${ratio.toFixed(2)} (${low} to ${high} round by round)`,
      isMet: ratio >= 0.9,
    };
  });
}

function readAim(rows: readonly Row[]): Aim | null {
  const read = rows.find(({ kind }) => kind === 'read');
  if (read === undefined) return null;
  const { rate, p95Ms } = read.median;
  return {
    aim: `reads by id, ${read.clients} clients: at least 1,000 a second with p95 below 100 ms`,
    measured: `${rate.toFixed(0)} a second, ${p95Ms.toFixed(1)} ms`,
    isMet: rate >= 1_000 && p95Ms < 100,
  };
}

/** The floor's own ratio stands beside it: what the engine lost meanwhile is not the database's doing. */
function growthAim(rows: readonly Row[]): Aim | null {
  const growth = rows.filter(({ part }) => part === 'growth').toSorted((a, b) => a.stored - b.stored);
  const [least, most] = [growth[0], growth.at(-1)];
  const ratioOf = (name: string) => {
    const row = growth.findLast(({ kind }) => kind === name);
    return row === undefined ? null : ratiosOf(row, growth).rateToSmallest;
  };
  const [ratio, floorRatio] = [ratioOf('payment'), ratioOf('floor')];
  if (least === undefined || most === undefined || ratio === null || floorRatio === null) return null;
  const [low, high] = [least.stored.toLocaleString('en-US'), most.stored.toLocaleString('en-US')];
  return {
    aim: `payments with ${high} stored: at least 0.9 × the rate with ${low}`,
    measured: `${ratio.toFixed(2)} (the floor: ${floorRatio.toFixed(2)})`,
    isMet: ratio >= 0.9,
  };
}

const loadBeforeMax = 0.5;
const strangersMax = 0.05;

/** Why figures of this run are worth less: somebody else was at work. Empty on a quiet machine. */
export function disturbances({ machine, rows }: { machine: Machine; rows: readonly Row[] }): string[] {
  const found: string[] = [];
  if (machine.loadBefore > loadBeforeMax)
    found.push(`its load was ${machine.loadBefore.toFixed(2)} before the benchmark began`);
  const shares = rows.flatMap(({ rounds }) => rounds.map(({ cpu }) => cpu?.find(({ name }) => name === strangers)));
  const disturbed = shares.filter((share) => (share?.cores ?? 0) > strangersMax * machine.cores);
  if (disturbed.length > 0) {
    const worst = Math.max(...disturbed.map((share) => share?.cores ?? 0));
    found.push(
      `in ${disturbed.length} of ${shares.length} rounds other programs used more than ${strangersMax * 100} % of it, ` +
        `at most ${worst.toFixed(1)} of ${machine.cores} cores`,
    );
  }
  return found;
}
