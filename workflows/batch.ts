import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { requireUnbroken } from './ask-of-the-world.ts';
import {
  type BatchSteered,
  type BatchView,
  type BatchWorkflowInput,
  type BatchWorkflowResult,
  cancelBatch,
  getBatch,
  pauseBatch,
  ratePerSecondMax,
  resumeBatch,
  type ThrottleAct,
  throttleBatch,
} from './batch-contract.ts';
import type { BatchPorts, BatchSnapshot, BatchWish } from './batch-ports.ts';
import { code } from './board-text.ts';
import { businessNow, businessNowText, waitUntil } from './clock.ts';
import type { OperatorAct } from './contract.ts';
import { isBatchOpen } from './domain/batch.ts';
import { invariant } from './domain/invariant.ts';
import { patiently, refuse, requireAct } from './guards.ts';
import { databaseLater, endBatch as endPolicy, startBatchRows as startPolicy } from './policies.ts';

/** So many rows are started by one activity at most: what operators see moves on with each. */
const rowsPerRound = 2_000;

/** After a round that changed nothing: what stands in its way, such as an engine that takes no rows, will not be gone at once. */
const restMs = 5_000;

/** So many rounds belong to one run: its history stays short however many rows there are. */
const roundsMax = 100;

/**
 * Starts what the rows of a batch name, each once, as fast as it may. The database says which rows are left, so this workflow
 * may be killed, reset or started again at any point. Canceling it in Temporal cancels the batch.
 */
export async function batchWorkflow(input: BatchWorkflowInput): Promise<BatchWorkflowResult> {
  const batch = new Batch(input);
  batch.answerPeople();
  try {
    if (input.batch === undefined) await batch.look();
    for (let round = 0; batch.hasWork; round++) {
      if (round === roundsMax || workflowInfo().continueAsNewSuggested) await batch.goOnAsNew();
      if (batch.known.status === 'paused') await batch.waitForResume();
      else await batch.startRows();
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await batch.steer({ status: 'canceled' }, { actor: 'operator', reason: 'the workflow was canceled in Temporal' });
  }
  await batch.end();
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  const { status, rows } = batch.known;
  return { status, rows };
}

class Batch {
  readonly #input: BatchWorkflowInput;
  #known: BatchSnapshot | null;
  #doing = 'looking at its rows';

  constructor(input: BatchWorkflowInput) {
    this.#input = input;
    this.#known = input.batch ?? null;
  }

  get known(): BatchSnapshot {
    invariant(this.#known !== null, 'a batch is looked at first');
    return this.#known;
  }

  get hasWork(): boolean {
    return isBatchOpen(this.known.status) && this.known.rows.staged > 0;
  }

  /** Registers all that people may want, before anything is waited for. */
  answerPeople(): void {
    const validator = (act: OperatorAct) => {
      requireAct(act);
      this.#requireOpen();
    };
    const acts = [
      [pauseBatch, 'paused'],
      [resumeBatch, 'running'],
      [cancelBatch, 'canceled'],
    ] as const;
    for (const [update, status] of acts) {
      const handle = patiently((act: OperatorAct) => this.#fulfill({ status }, act));
      setHandler(update, handle, { validator });
    }
    setHandler(
      throttleBatch,
      patiently(({ ratePerSecond, ...act }) => this.#fulfill({ ratePerSecond }, act)),
      {
        validator: (act) => {
          validator(act);
          requireRate(act);
        },
      },
    );
    setHandler(getBatch, (): BatchView => ({ batchId: this.#input.batchId, doing: this.#doing, ...this.#known }));
  }

  async look(): Promise<void> {
    const { steerBatch } = proxyActivities<BatchPorts>({ ...databaseLater, summary: 'read the batch' });
    this.#learn(await asked(steerBatch({ ...this.#reference, now: businessNowText() })));
  }

  /** Writes a wish down, unless the batch is over. */
  async steer(wish: BatchWish, { actor, reason }: OperatorAct): Promise<void> {
    const summary = `${wish.status ?? `at most ${wish.ratePerSecond ?? 'all'} a second`}: ${actor}`;
    const { steerBatch } = proxyActivities<BatchPorts>({ ...databaseLater, summary });
    const input = { ...this.#reference, wish: { ...wish, actor, reason }, now: businessNowText() };
    this.#learn(await CancellationScope.nonCancellable(() => asked(steerBatch(input))));
  }

  /** One round. Pausing ends it within moments, as what is to be done stands in the database. */
  async startRows(): Promise<void> {
    this.#show('starting rows');
    const summary = `start up to ${rowsPerRound} of ${this.known.rows.staged} rows`;
    const { startBatchRows } = proxyActivities<BatchPorts>({ ...startPolicy, summary });
    const { staged } = this.known.rows;
    const known = await asked(startBatchRows({ ...this.#reference, rowsMax: rowsPerRound }));
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('canceled in Temporal');
    this.#learn(known);
    if (this.hasWork && this.known.status === 'running' && this.known.rows.staged === staged) await this.#rest();
  }

  /** Whoever wants something of the batch ends it. */
  async #rest(): Promise<void> {
    this.#show('resting: the last round changed nothing');
    const { steeredAt } = this.known;
    await waitUntil(businessNow() + restMs, () => this.known.steeredAt !== steeredAt, 'rest');
  }

  async waitForResume(): Promise<void> {
    this.#show('waiting until somebody resumes it');
    await condition(() => this.known.status !== 'paused');
  }

  async goOnAsNew(): Promise<never> {
    await condition(allHandlersFinished);
    return continueAsNew<typeof batchWorkflow>({ ...this.#reference, batch: this.known });
  }

  async end(): Promise<void> {
    this.#show('ending');
    const { endBatch } = proxyActivities<BatchPorts>({ ...endPolicy, summary: 'end the batch' });
    const input = { ...this.#reference, now: businessNowText() };
    this.#learn(await CancellationScope.nonCancellable(() => asked(endBatch(input))));
    this.#show('done');
  }

  async #fulfill(wish: BatchWish, act: OperatorAct): Promise<BatchSteered> {
    await this.steer(wish, act);
    const { status, ratePerSecond } = this.known;
    if (!isBatchOpen(status) && status !== wish.status) refuse(`the batch is ${status}`, 'batch_over');
    return { status, ratePerSecond };
  }

  get #reference() {
    const { batchId, merchantId } = this.#input;
    return { batchId, merchantId };
  }

  #requireOpen(): void {
    if (this.#known !== null && !isBatchOpen(this.#known.status)) refuse('the batch is over', 'batch_over');
  }

  /** Answers may overtake each other: an older one says nothing about what somebody wanted since. */
  #learn(snapshot: BatchSnapshot): void {
    const isOlder = this.#known !== null && snapshot.steeredAt < this.#known.steeredAt;
    this.#known = isOlder ? { ...this.known, rows: snapshot.rows } : snapshot;
    this.#show(this.#doing);
  }

  #show(doing: string): void {
    this.#doing = doing;
    setCurrentDetails(board(this.known, this.#input.merchantId, doing));
  }
}

/** What an activity answers. One that broke an invariant parks the workflow: its failure would end it. */
async function asked<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    requireUnbroken(error);
    throw error;
  }
}

function requireRate({ ratePerSecond }: ThrottleAct): void {
  if (ratePerSecond === null) return;
  if (Number.isInteger(ratePerSecond) && ratePerSecond >= 1 && ratePerSecond <= ratePerSecondMax) return;
  refuse(`ratePerSecond must be a whole number from 1 to ${ratePerSecondMax}, or null`);
}

/** What operators read at the top of the workflow's page, in Markdown, without anything of the rows. */
function board(
  { kind, reference, isTest, status, ratePerSecond, rows }: BatchSnapshot,
  merchantId: string,
  doing: string,
): string {
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const done = total - rows.staged;
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  return [
    `### ${done} of ${total} ${kind} · ${percent} % · **${status}**`,
    '',
    '| | |',
    '|---|---|',
    `| now | ${doing} |`,
    `| reference | ${code(reference)} |`,
    `| merchant | \`${merchantId}\`, ${isTest ? 'test' : 'live'} mode |`,
    `| pace | ${ratePerSecond === null ? 'as fast as it goes' : `at most ${ratePerSecond} a second`} |`,
    ...Object.entries(rows).map(([state, count]) => `| ${state} | ${count} |`),
  ].join('\n');
}
