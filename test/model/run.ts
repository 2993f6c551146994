import fc from 'fast-check';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { Contradiction, play } from './play.ts';
import { type Sequence, sequencesAt } from './sequence.ts';
import { Tally } from './tally.ts';
import { makeWeather } from './weather.ts';

/** How long and how wide a run is, and where it begins. */
export interface ModelPlan {
  readonly seed: number;
  readonly sequences: number;
  readonly concurrency: number;
  /** How often the worker is killed. */
  readonly kills: number;
  /** Plays this one alone, as it was in a run with this seed. */
  readonly only?: number | undefined;
  /** With `only`: the smaller one that a failure was shrunk to, as it was printed with it. */
  readonly path?: string | undefined;
}

/** A sequence that the model cannot explain. */
export interface Finding {
  readonly index: number;
  /** From the sequence to its smallest form that failed. */
  readonly path: string;
  readonly first: string;
  readonly smallest: string;
  readonly plays: number;
}

/** How a run is going, or went. */
export interface ModelRun {
  readonly plan: ModelPlan;
  readonly tally: Tally;
  readonly findings: Finding[];
  done: number;
  /** How long it took. */
  seconds: number;
}

/** A failing sequence is played so often, smaller and smaller. */
const shrinkingPlaysMax = 25;
/** More findings than these tell nothing more, and take their time to shrink. */
const findingsMax = 3;

/**
 * Plays so many sequences, several at a time, in changing weather, while the worker is killed now and then; each failing one
 * again in smaller forms. The same seed makes the same sequences and storms; who meets whom is chance. `tell` is called after
 * each one.
 */
export async function runModel(
  world: World,
  plan: ModelPlan,
  tell: (run: ModelRun) => void = () => undefined,
): Promise<ModelRun> {
  const run: ModelRun = { plan, tally: new Tally(), findings: [], done: 0, seconds: 0 };
  const started = performance.now();
  const weather = makeWeather(world, plan.seed, run.tally);
  const indexes = plan.only === undefined ? Array.from({ length: plan.sequences }, (_, index) => index) : [plan.only];
  const killer = makeKiller(world, run, indexes.length);
  const player = async () => {
    while (run.findings.length < findingsMax) {
      const index = indexes.shift();
      if (index === undefined) return;
      await playOne(world, run, index);
      run.done += 1;
      killer.look();
      tell(run);
    }
  };
  await Promise.all(Array.from({ length: plan.concurrency }, player));
  await killer.end();
  await weather.stop();
  run.seconds = (performance.now() - started) / 1_000;
  return run;
}

/** After a run: no provider contradicts what is recorded, and all books of the world agree. */
export async function expectModelRest(world: World): Promise<void> {
  const { rows } = await world.admin.query('SELECT payment_id, object_id, recorded, reported FROM discrepancies');
  if (rows.length > 0) throw new Error(`there are discrepancies: ${JSON.stringify(rows)}`);
  await expectInvariants(world);
}

/** Waits until the provider's events are done with: one that came in a storm, or was held by a killed worker, has its time. */
export async function expectEventsDone(world: World): Promise<void> {
  const withinMs = 180_000;
  const done = until('every event is done with', async () => (await openEventsOf(world)).length === 0, {
    withinMs,
    everyMs: 500,
  });
  await done.catch(async (cause: unknown) => {
    throw new Error(`events stay open: ${JSON.stringify(await openEventsOf(world))}`, { cause });
  });
}

/** Events that nobody has looked at, but for those of payments that still wait for their payer: it is looked at with the payer. */
async function openEventsOf(world: World): Promise<unknown[]> {
  const { rows } = await world.admin.query(
    `SELECT w.event_type, w.reference, w.claim, w.created_at, w.retry_count, p.status, m.state
     FROM webhooks w LEFT JOIN movements m ON m.id = w.reference
     LEFT JOIN payments p ON p.id = coalesce(m.payment_id, w.reference)
     WHERE w.status = 'pending' AND p.status IS DISTINCT FROM 'requires_action'`,
  );
  return rows;
}

async function playOne(world: World, run: ModelRun, index: number): Promise<void> {
  const { plan, tally, findings } = run;
  const failures: string[] = [];
  let plays = 0;
  const property = fc.asyncProperty(sequencesAt(index), async (sequence: Sequence) => {
    if (plays++ > shrinkingPlaysMax) return;
    try {
      await play(world, sequence, plays === 1 ? tally : new Tally());
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
      failures.push(error.message);
      throw error;
    }
  });
  const { path } = plan;
  const details = await fc.check(property, {
    seed: seedOf(plan.seed, index),
    numRuns: 1,
    ...(path === undefined ? {} : { path, endOnFailure: true }),
  });
  const [first] = failures;
  const smallest = failures.at(-1);
  if (first !== undefined && smallest !== undefined) {
    findings.push({ index, path: details.counterexamplePath ?? '', first, smallest, plays });
  } else if (details.failed || plays === 0) {
    throw new Error(`sequence ${index} could not be played`, { cause: details.errorInstance });
  }
}

/** Far apart for neighboring seeds, so that their runs share no sequence. */
function seedOf(seed: number, index: number): number {
  return (Math.imul(seed, 0x9e37_79b1) + index) | 0;
}

/** Kills the worker and starts it again, as often as planned, over the length of the run. */
function makeKiller(world: World, { plan, tally }: ModelRun, planned: number) {
  let done = 0;
  let busy: Promise<void> = Promise.resolve();
  let begun = 0;
  const kill = async () => {
    const { rows } = await world.admin.query<{ open: number }>(
      `SELECT ((SELECT count(*) FROM payments WHERE status = 'pending')
         + (SELECT count(*) FROM movements WHERE state = 'pending'))::int AS open`,
    );
    await world.worker.kill();
    await world.worker.start();
    tally.count('kills');
    if ((rows[0]?.open ?? 0) > 0) tally.count('kills in the middle of something');
  };
  return {
    /** One more sequence is over. */
    look() {
      done += 1;
      if (begun >= plan.kills || done < ((begun + 1) * planned) / (plan.kills + 1)) return;
      begun += 1;
      busy = busy.then(kill);
      busy.catch(() => undefined); // told by `end`
    },
    end: () => busy,
  };
}
