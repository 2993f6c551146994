import fc from 'fast-check';
import type { World } from '../support/world.ts';
import { curlOf } from './curl.ts';
import { type Operation, readOperations } from './document.ts';
import { validDrafts, wireRequestOf } from './draft.ts';
import { withEventBody } from './event.ts';
import { exchange, type WireAnswer, type WireRequest } from './exchange.ts';
import { type Ground, layGround } from './ground.ts';
import { createJudge, type Judge, operationOf, slowAfterMs } from './judge.ts';
import type { Mutation } from './mutation.ts';
import { mutationsOf } from './mutations.ts';

/** How long and how wide a run is. */
export interface FuzzPlan {
  readonly seed: number;
  readonly requests: number;
  readonly concurrency: number;
}

/** One thing that is wrong, with the smallest request found that shows it. */
export interface Finding {
  readonly mutation: string;
  readonly complaints: readonly string[];
  /** For a shell. */
  readonly curl: string;
  /** How it was answered, cut; null without an answer. */
  readonly answer: string | null;
  /** How many requests found it at which operations. */
  readonly times: Map<string, number>;
}

/** How a run is going, or went. */
export interface FuzzRun {
  readonly plan: FuzzPlan;
  /** How many different requests there are, counted by operation and damage: a shorter run leaves some out. */
  readonly kinds: number;
  done: number;
  slowestMs: number;
  /** How often an answer was late or 503 at first: a busy machine may stall once, but not twice in a row. */
  secondChances: number;
  /** By operation, how often each status answered what was really sent to it. */
  readonly statuses: ReadonlyMap<string, Map<number, number>>;
  /** How often each kind of damage was done. */
  readonly damages: Map<string, number>;
  /** By what was complained of. */
  readonly findings: Map<string, Finding>;
}

interface Target {
  readonly operation: Operation;
  readonly mutation: Mutation;
}

interface Bench {
  readonly operations: readonly Operation[];
  readonly ground: Ground;
  readonly judge: Judge;
  readonly run: FuzzRun;
}

type Failure = Omit<Finding, 'times'>;

/** Where requests are counted that no operation takes. */
export const nowhere = '(no operation)';
/** How often a failing request is sent again, smaller. */
const shrinkingSendsMax = 80;
const answerShownMax = 1_000;

/**
 * Sends so many requests to the world's API, each made for one operation of its OpenAPI document with one kind of damage, or
 * none, and judges every answer. Each kind comes once before any comes again; the same seed makes the same requests, but for
 * the ids of what there is. `tell` is called after each one.
 */
export async function fuzz(
  world: World,
  plan: FuzzPlan,
  tell: (run: FuzzRun) => void = () => undefined,
): Promise<FuzzRun> {
  const operations = await readOperations(world.apiUrl);
  const ground = await layGround(world, operations, plan.seed);
  const targets = targetsOf(operations.map(withEventBody), ground, plan.seed);
  const run: FuzzRun = {
    plan,
    kinds: targets.length,
    done: 0,
    slowestMs: 0,
    secondChances: 0,
    statuses: new Map([...operations.map(({ id }) => id), nowhere].map((id) => [id, new Map<number, number>()])),
    damages: new Map(),
    findings: new Map(),
  };
  const bench = { operations, ground, judge: createJudge(operations, ground), run };
  let next = 0;
  const sender = async () => {
    for (let index = next++; index < plan.requests; index = next++) {
      const target = targets[index % targets.length];
      if (target !== undefined) await fuzzOne(bench, target, seedOf(plan.seed, index));
      run.done += 1;
      tell(run);
    }
  };
  await Promise.all(Array.from({ length: plan.concurrency }, sender));
  return run;
}

/** Far apart for neighboring seeds, so that their runs share no request. */
function seedOf(seed: number, index: number): number {
  return (Math.imul(seed, 0x9e37_79b1) + index) | 0;
}

function targetsOf(operations: readonly Operation[], ground: Ground, seed: number): Target[] {
  const all = operations.flatMap((operation) =>
    mutationsOf(operation, ground).map((mutation) => ({ operation, mutation })),
  );
  return fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), { seed, numRuns: 1 })[0] ?? [];
}

/** One request; where it finds something new, it is sent again and again as long as smaller ones find it too. */
async function fuzzOne(bench: Bench, target: Target, seed: number): Promise<void> {
  const { ground, run } = bench;
  const { operation, mutation } = target;
  const requests = validDrafts(operation, ground)
    .chain((draft) => mutation.change(draft, operation, ground))
    .map((draft) => wireRequestOf(draft, operation, ground));
  let sends = 0;
  let failure: Failure | null = null;
  const property = fc.asyncProperty(requests, async (request) => {
    if (sends++ > shrinkingSendsMax) return;
    const found = await send(bench, request, mutation, sends === 1);
    if (found === null || (failure !== null && keyOf(found) !== keyOf(failure))) return;
    failure = found;
    if (!run.findings.has(keyOf(found))) throw new Error('smaller, please');
  });
  // One request per check: each is made smaller by itself, while others go on.
  const { failed, errorInstance } = await fc.check(property, { seed, numRuns: 1 });
  if (failure !== null) add(run, operation, failure);
  else if (failed || sends === 0) throw new Error(`made no request for ${operation.id}`, { cause: errorInstance });
  run.damages.set(mutation.name, (run.damages.get(mutation.name) ?? 0) + 1);
}

/** Sends it and judges the answer; null: it is as documented. Counts it, unless it is a repetition. */
async function send(
  { ground, operations, judge, run }: Bench,
  request: WireRequest,
  mutation: Mutation,
  isFirst: boolean,
): Promise<Failure | null> {
  const curl = () => curlOf(request, ground);
  try {
    let answer = await exchange(ground.apiUrl, request);
    if (answer.timeMs > slowAfterMs || answer.status === 503) {
      run.secondChances += 1;
      answer = await exchange(ground.apiUrl, request);
    }
    if (isFirst) count(run, operationOf(request, operations)?.id ?? nowhere, answer);
    const complaints = judge({ request, answer, mutation });
    if (complaints.length === 0) return null;
    const shown = `${answer.status} ${answer.headers.get('content-type')}\n${answer.text.slice(0, answerShownMax)}`;
    return { mutation: mutation.name, complaints, curl: curl(), answer: shown };
  } catch (error) {
    const complaint = error instanceof Error ? error.message : String(error);
    return { mutation: mutation.name, complaints: [complaint], curl: curl(), answer: null };
  }
}

function count(run: FuzzRun, operationId: string, { status, timeMs }: WireAnswer): void {
  const counts = run.statuses.get(operationId);
  counts?.set(status, (counts.get(status) ?? 0) + 1);
  run.slowestMs = Math.max(run.slowestMs, timeMs);
}

/** The same complaint about the same damage is one finding, however many requests to whatever operations meet it. */
function keyOf({ mutation, complaints }: Failure): string {
  return `${mutation}: ${complaints[0]?.replaceAll(/\d{4,}/g, 'n')}`;
}

function add({ findings }: FuzzRun, operation: Operation, failure: Failure): void {
  const known = findings.get(keyOf(failure)) ?? { ...failure, times: new Map<string, number>() };
  known.times.set(operation.id, (known.times.get(operation.id) ?? 0) + 1);
  findings.set(keyOf(failure), known);
}
