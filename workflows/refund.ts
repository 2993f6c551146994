import { allHandlersFinished, CancellationScope, condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { databaseStep } from './ask-of-the-world.ts';
import { Attention } from './attention.ts';
import { businessNowText } from './clock.ts';
import {
  type AwaitedRefund,
  awaitRefund,
  providerEventReceived,
  type RefundWorkflowInput,
  type RefundWorkflowResult,
  type Resolution,
  resolveRefund,
  retryNow,
} from './contract.ts';
import { formatMinor } from './domain/money.ts';
import { isMovementOver, type MovementState } from './domain/movement.ts';
import {
  patiently,
  type Question,
  refuse,
  requireAct,
  requireOutcome,
  requireQuestion,
  requireResolution,
} from './guards.ts';
import { carryOut, type MovementWork } from './movement.ts';
import type { MovementRefusal, MovementSnapshot } from './ports.ts';
import { reconcileEvents } from './reconcile.ts';

/**
 * A refund: its amount is reserved (or its row found again), and paid back at most once. The database's row decides what is
 * still to be done; other refunds of the same payment go on beside it.
 */
export async function refundWorkflow(input: RefundWorkflowInput): Promise<RefundWorkflowResult> {
  const state: RefundState = { row: null, refusal: null, doing: 'reserving the amount', attention: new Attention() };
  listen(state, input);
  // A refund that was accepted is carried out: who cancels the workflow stops nothing.
  return CancellationScope.nonCancellable(() => live(state, input));
}

type RefundQuestion = Question & { readonly until: 'accepted' | 'outcome' };

interface RefundState {
  row: MovementSnapshot | null;
  refusal: MovementRefusal | null;
  doing: string;
  readonly attention: Attention;
}

async function live(state: RefundState, input: RefundWorkflowInput): Promise<RefundWorkflowResult> {
  const { refundId: movementId, paymentId, merchantId, request } = input;
  const order = { movementId, kind: 'refund' as const, paymentId, merchantId, ...(request && { request }) };
  const opened = await databaseStep('accept: reserve the amount', (ports) =>
    ports.openMovement({ ...order, now: businessNowText() }),
  );
  if (opened.kind === 'refused') {
    state.refusal = opened.code;
    await condition(allHandlersFinished);
    return { refused: opened.code };
  }
  state.row = opened.movement;
  const work = workOf(state, opened.movement);
  while (!isMovementOver(work.row.state)) await carryOut(work);
  const { row } = work;
  show(state, 'done');
  await condition(allHandlersFinished);
  await reconcileEvents(state.attention, input);
  return { state: row.state, failure: row.failure };
}

function workOf(state: RefundState, row: MovementSnapshot): MovementWork {
  return {
    row,
    attention: state.attention,
    mustSucceed: () => false,
    show: (doing) => show(state, doing),
    adopt(next) {
      this.row = next;
      state.row = next;
      if (next.state !== 'unresolved') state.attention.dropResolution();
    },
  };
}

function listen(state: RefundState, input: RefundWorkflowInput): void {
  const { attention } = state;
  setHandler(
    awaitRefund,
    patiently((asked: RefundQuestion) => stored(state, input, asked)),
    { validator: requireQuestion },
  );
  setHandler(
    retryNow,
    () => {
      attention.hurry();
      return { retried: true as const };
    },
    {
      validator: (act) => {
        requireAct(act);
        if (state.row?.state !== 'pending') refuse('there is nothing to retry now');
      },
    },
  );
  setHandler(
    resolveRefund,
    patiently((act) => resolve(state, act)),
    {
      validator: (act) => {
        requireResolution(act);
        requireOutcome(act, ['refunded', 'failed']);
        if (state.row !== null) requireUnresolved(state);
      },
    },
  );
  setHandler(providerEventReceived, ({ providerEventId }) => attention.note(providerEventId));
}

async function resolve(state: RefundState, act: Resolution): Promise<{ state: MovementState }> {
  const { attention } = state;
  await condition(() => state.refusal !== null || state.row !== null);
  requireUnresolved(state); // the validator may have been asked before the row was known
  attention.resolve(act);
  await condition(() => state.row?.state !== 'unresolved');
  if (!attention.wasTaken(act)) refuse('the provider spoke first: see the refund', 'not_unresolved');
  return { state: state.row?.state ?? 'unresolved' };
}

function requireUnresolved({ row, attention }: RefundState): void {
  if (row?.state !== 'unresolved')
    refuse('there is nothing to resolve: the refund is not unresolved', 'not_unresolved');
  if (attention.hasResolution) refuse('a resolution is under way', 'movement_in_progress');
}

async function stored(
  state: RefundState,
  { request }: RefundWorkflowInput,
  asked: RefundQuestion,
): Promise<AwaitedRefund> {
  await condition(() => state.refusal !== null || state.row !== null);
  const known = state.row ?? request;
  if (known !== undefined && asked.requestHash !== known.requestHash)
    return { kind: 'refused', code: 'idempotency_key_reused' };
  if (state.refusal !== null) return { kind: 'refused', code: state.refusal };
  if (asked.until === 'outcome') await condition(() => state.row?.state !== 'pending');
  return { kind: 'stored' };
}

function show(state: RefundState, doing: string): void {
  state.doing = doing;
  const { row } = state;
  if (row === null) return;
  const money = `${formatMinor(BigInt(row.amountMinor), row.currency)} ${row.currency}`;
  const lines = [
    `### refund of ${money} · **${row.state}**`,
    '',
    '| | |',
    '|---|---|',
    `| now | ${doing} |`,
    `| payment | \`${row.paymentId}\` |`,
    `| provider | ${row.provider} |`,
    ...(row.failure === null ? [] : [`| failure | \`${row.failure.code}\` ${row.failure.message} |`]),
    ...(row.openAttemptId === null ? [] : ['| in doubt | the refund may have happened |']),
  ];
  setCurrentDetails(lines.join('\n'));
}
