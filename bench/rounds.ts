import { type CpuShare, cpuBetween, readCpu, type Watched } from './cpu.ts';
import { type LoadResult, type LoadTarget, load } from './load.ts';
import type { Dose } from './options.ts';

/** One kind of request, and what it sets off. */
export interface Kind {
  readonly name: string;
  readonly target: LoadTarget;
  /** Makes what so many requests need, before the measuring begins. */
  prepare?(requests: number): Promise<void>;
  readonly aftermath?: Aftermath;
}

/** What goes on after the answers of a round. */
export interface Aftermath {
  /** Waits until all that these requests have set off is done, and answers when the last of it was. */
  settle(round: { readonly since: Date; readonly requests: number }): Promise<Date>;
  /** Throws unless the outside world has seen it, once the measuring is over. */
  prove(requests: number): Promise<void>;
}

/** How a round went. */
export interface Round extends LoadResult {
  /** Requests per second, until all that they set off was done. */
  readonly rate: number;
  /** From the last answer until all was done. */
  readonly drainMs: number;
  /** Null where it cannot be read. */
  readonly cpu: readonly CpuShare[] | null;
  /** Rows per second that a batch has started meanwhile, where one ran. */
  readonly batchRate?: number;
}

/** A line of the results: all rounds of one kind under one dose. */
export interface Row {
  readonly part: 'payments' | 'movements' | 'batches' | 'access' | 'reads' | 'growth' | 'against';
  readonly kind: string;
  readonly clients: number;
  /** Payments in the database before the first round. */
  readonly stored: number;
  /** The round in the middle by rate, and the slowest. */
  readonly median: Round;
  readonly worst: Round;
  readonly rounds: readonly Round[];
}

export type Say = (line: string) => void;

/** Takes rounds of the kinds in turn. */
export async function takeRounds(
  kinds: readonly Kind[],
  dose: Dose,
  setting: {
    readonly part: Row['part'];
    readonly stored: number;
    readonly rounds: number;
    readonly watched: Watched;
    readonly say: Say;
  },
): Promise<Row[]> {
  const taken = new Map<string, Round[]>(kinds.map(({ name }) => [name, []]));
  for (let number = 1; number <= setting.rounds; number++) {
    for (const kind of kinds) {
      const round = await takeRound(kind, dose, setting.watched);
      taken.get(kind.name)?.push(round);
      const figures = `${round.rate.toFixed(1)}/s, p50 ${round.p50Ms.toFixed(1)} ms, p95 ${round.p95Ms.toFixed(1)} ms`;
      setting.say(`${kind.name}, ${dose.clients} client(s), ${setting.stored} stored, round ${number}: ${figures}`);
    }
  }
  const { part, stored } = setting;
  return [...taken].map(([kind, rounds]) => ({ part, kind, clients: dose.clients, stored, ...ofRounds(rounds) }));
}

/** One round, with all that it sets off. */
export async function takeRound(kind: Kind, dose: Dose, watched: Watched): Promise<Round> {
  const { target, aftermath } = kind;
  await kind.prepare?.(dose.requests);
  const since = new Date();
  const before = readCpu(watched);
  const result = await load(target, dose);
  const answered = new Date();
  const settled = (await aftermath?.settle({ since, requests: dose.requests })) ?? answered;
  const after = readCpu(watched);
  await aftermath?.prove(dose.requests);
  const drainMs = Math.max(0, settled.getTime() - answered.getTime());
  return {
    ...result,
    rate: result.requests / (result.seconds + drainMs / 1000),
    drainMs,
    cpu: before === null || after === null ? null : cpuBetween(before, after, result.requests),
  };
}

/** The rounds of a row, with the one in the middle by rate and the slowest. */
export function ofRounds(rounds: readonly Round[]): { median: Round; worst: Round; rounds: readonly Round[] } {
  const byRate = rounds.toSorted((a, b) => a.rate - b.rate);
  const [worst] = byRate;
  const median = byRate[Math.floor((byRate.length - 1) / 2)];
  if (worst === undefined || median === undefined) throw new Error('no rounds were taken: a plan needs at least one');
  return { median, worst, rounds };
}
