import { setTimeout as pause } from 'node:timers/promises';
import { cancellationSignal, heartbeat } from '@temporalio/activity';
import {
  endOfMade,
  endRows,
  findMade,
  type MadeResource,
  type RowEnd,
  type RowToStart,
  takeRows,
} from '../prisma/batch-rows.ts';
import { type BatchRow, batchSnapshotOf, readBatch, steerBatchRow } from '../prisma/batches.ts';
import { findMerchant } from '../prisma/merchants.ts';
import type { BatchSnapshot, StartBatchRows } from '../workflows/batch-ports.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import type { ActivityDeps } from './deps.ts';
import { type BatchToStart, refusalOfRow, startRow } from './start-row.ts';
import { StartWindow } from './start-window.ts';

/** So many rows are read at once. */
const takenMax = 256;
/** Between two looks at what was accepted, at what somebody wants of the batch, and at rows that are long on their way. */
const lookEveryMs = 15;
const steerEveryMs = 500;
const askEveryMs = 2_000;
/** A round ends by itself after so long. */
const roundMs = 30_000;
/** What is on its way when a round ends is waited for so long; the next round finds the rest. */
const lastWaitMs = 5_000;

/** A row whose workflow was started and whose thing is not there yet. */
interface OpenRow {
  readonly row: RowToStart;
  readonly startedAt: number;
  askAt: number;
}

/**
 * One round: takes staged rows in the order of the file, starts their workflows, a window of them at a time, learns which are
 * accepted, and writes that down. A row is started at most as often as it takes, and names the same thing each time.
 */
export async function startBatchRows(deps: ActivityDeps, input: StartBatchRows): Promise<BatchSnapshot> {
  const { batch, merchant } = await look(deps, input);
  const about = { batchId: batch.id, merchantId: batch.merchant_id, isTest: batch.is_test, kind: batch.kind };
  const round = new Round(deps, input, { ...about, routing: merchant.settings.routing }, batch);
  return batchSnapshotOf(await round.run(cancellationSignal()));
}

type BatchOfMerchant = Pick<StartBatchRows, 'batchId' | 'merchantId'>;

/** The batch as somebody wants it. Nothing starts for a merchant that is suspended: it is paused, and resumed by somebody afterwards. */
async function look({ db }: Pick<ActivityDeps, 'db'>, { batchId, merchantId }: BatchOfMerchant) {
  const merchant = await findMerchant(db, merchantId);
  invariant(merchant !== null, 'a batch belongs to a merchant');
  const wish = { status: 'paused', actor: 'workflow', reason: 'the merchant is suspended' } as const;
  const now = new Date().toISOString();
  const paused = merchant.status === 'active' ? null : await steerBatchRow(db, { merchantId, batchId, wish, now });
  const batch = paused ?? (await readBatch(db, merchantId, batchId));
  invariant(batch !== null, 'a batch has a row before it has a workflow');
  return { batch, merchant };
}

class Round {
  readonly #deps: ActivityDeps;
  readonly #rowsMax: number;
  readonly #batch: BatchToStart;
  #row: BatchRow;
  readonly #window = new StartWindow();
  readonly #queue: RowToStart[] = [];
  readonly #starting = new Map<number, Promise<void>>();
  readonly #open = new Map<string, OpenRow>();
  readonly #ended: RowEnd[] = [];
  #failure: { readonly error: unknown } | null = null;
  #after = 0;
  #taken = 0;
  #isDrained = false;
  #steerAt = performance.now() + steerEveryMs;
  #nextStartAt = performance.now();

  constructor(deps: ActivityDeps, { rowsMax }: StartBatchRows, batch: BatchToStart, row: BatchRow) {
    this.#deps = deps;
    this.#rowsMax = rowsMax;
    this.#batch = batch;
    this.#row = row;
  }

  async run(stopping: AbortSignal): Promise<BatchRow> {
    const endsAt = performance.now() + roundMs;
    let lastWaitEndsAt = Number.POSITIVE_INFINITY;
    try {
      for (;;) {
        heartbeat({ after: this.#after, onTheWay: this.#onTheWay });
        await this.#lookAtWishes();
        const mayGoOn = !stopping.aborted && this.#row.status === 'running' && performance.now() < endsAt;
        if (mayGoOn) await this.#take();
        else {
          this.#queue.length = 0; // still staged
          lastWaitEndsAt = Math.min(lastWaitEndsAt, performance.now() + lastWaitMs);
        }
        this.#start();
        await this.#settle();
        if (this.#failure !== null) throw this.#failure.error;
        const isIdle = this.#onTheWay === 0 && this.#queue.length === 0 && this.#ended.length === 0;
        if (isIdle && (!mayGoOn || this.#isDrained)) break;
        if (!mayGoOn && performance.now() > lastWaitEndsAt) break;
        if (!isIdle) await pause(this.#pauseMs());
      }
    } finally {
      await Promise.allSettled(this.#starting.values());
    }
    await this.#lookAtWishes(true);
    return this.#row;
  }

  get #onTheWay(): number {
    return this.#starting.size + this.#open.size;
  }

  /** What somebody wants of the batch stands in its row. */
  async #lookAtWishes(now = false): Promise<void> {
    if (!now && performance.now() < this.#steerAt) return;
    this.#steerAt = performance.now() + steerEveryMs;
    this.#row = (await look(this.#deps, this.#batch)).batch;
  }

  async #take(): Promise<void> {
    const limit = Math.min(takenMax, this.#rowsMax - this.#taken);
    if (this.#queue.length > 0 || this.#isDrained) return;
    const { batchId, merchantId, kind } = this.#batch;
    const rows =
      limit <= 0 ? [] : await takeRows(this.#deps.db, kind, { batchId, merchantId, after: this.#after, limit });
    this.#isDrained = rows.length === 0;
    this.#after = rows.at(-1)?.number ?? this.#after;
    this.#taken += rows.length;
    for (const row of rows) {
      const { made, customer } = row;
      if (made !== null) this.#end(row, made);
      else if (customer !== null && customer.status !== 'active') this.#refuse(row, 'customer_not_available');
      else this.#queue.push(row);
    }
  }

  /** As many as the window and the pace have room for. */
  #start(): void {
    while (this.#onTheWay < this.#window.size && this.#failure === null && performance.now() >= this.#nextStartAt) {
      const row = this.#queue.shift();
      if (row === undefined) return;
      this.#begin(row);
      const { rate_per_second: rate } = this.#row;
      if (rate === null) continue;
      // Nothing is made up for later: a pace is a pace also after a pause.
      this.#nextStartAt = Math.max(this.#nextStartAt + 1_000 / rate, performance.now() - 1_000 / rate);
    }
  }

  #begin(row: RowToStart): void {
    const starting = this.#send(row).finally(() => this.#starting.delete(row.number));
    this.#starting.set(row.number, starting);
  }

  /** Never rejects: the round ends with what failed, once it has looked at all others. */
  async #send(row: RowToStart): Promise<void> {
    const startedAt = performance.now();
    try {
      const answer = await startRow(this.#batch, row);
      if (answer === 'sent') this.#open.set(row.resourceId, { row, startedAt, askAt: startedAt + askEveryMs });
      else this.#refuse(row, 'internal_error');
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  /** Learns what is accepted by now, and writes it down with all else that has ended. */
  async #settle(): Promise<void> {
    const { db } = this.#deps;
    const { batchId, kind, merchantId } = this.#batch;
    const made = await findMade(db, kind, merchantId, [...this.#open.keys()]);
    for (const [resourceId, resource] of made) {
      const open = this.#open.get(resourceId);
      if (open === undefined) continue;
      this.#open.delete(resourceId);
      this.#window.accepted(performance.now() - open.startedAt);
      this.#end(open.row, resource);
    }
    await this.#askAfterTheLate();
    const ended = this.#ended.splice(0);
    await endRows(db, batchId, ended);
  }

  /** A workflow that refused its request leaves no row: it is asked itself. One that is gone without a word starts again. */
  async #askAfterTheLate(): Promise<void> {
    const now = performance.now();
    const late = [...this.#open.values()].filter(({ askAt }) => askAt <= now);
    await Promise.all(
      late.map(async (open) => {
        open.askAt = now + askEveryMs;
        const answer = await refusalOfRow(open.row.resourceId);
        if (answer === 'working') return;
        this.#open.delete(open.row.resourceId);
        if (answer === 'gone') this.#queue.unshift(open.row);
        else this.#refuse(open.row, answer.refused);
      }),
    );
  }

  #end(row: RowToStart, made: MadeResource): void {
    this.#ended.push(endOfMade(row, made, this.#batch.batchId));
  }

  #refuse({ number }: RowToStart, code: string): void {
    if (code === 'internal_error') this.#deps.logger.error({ batch_id: this.#batch.batchId }, 'Temporal refuses a row');
    this.#ended.push({ number, state: 'refused', code });
  }

  /** Until there is something to look at, or room for another row at the batch's pace. */
  #pauseMs(): number {
    const untilNext = this.#nextStartAt - performance.now();
    const hasRoom = this.#queue.length > 0 && this.#onTheWay < this.#window.size;
    return hasRoom && untilNext > 0 ? Math.min(lookEveryMs, untilNext) : lookEveryMs;
  }
}
