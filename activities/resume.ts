import { getClient, heartbeat } from '@temporalio/activity';
import { ServiceError, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { removeRefusedRows } from '../prisma/batch-rows.ts';
import { abandonBatches, listOpenBatches, type OpenBatch } from '../prisma/batches.ts';
import type { Database } from '../prisma/database.ts';
import { listOpenRefunds, type OpenRefund } from '../prisma/movements.ts';
import { listOpenPayments, type OpenPayment } from '../prisma/payments.ts';
import {
  type EventSubject,
  findSubject,
  listOpenProviderEvents,
  noteProviderEventError,
  type OpenProviderEvent,
  settleProviderEvents,
} from '../prisma/provider-events.ts';
import { claimOverdueSubscriptions, type OverdueSubscription } from '../prisma/subscriptions.ts';
import { listOpenTestClocks, type OpenTestClock } from '../prisma/test-clocks.ts';
import { grpcCodeOf, invalidArgument } from '../runtime/grpc.ts';
import type { LogFields } from '../runtime/log-fields.ts';
import type { Logger } from '../runtime/logger.ts';
import { type BatchWorkflowInput, batchStartOptions, batchWorkflowType } from '../workflows/batch-contract.ts';
import {
  type PaymentWorkflowInput,
  type ProviderEventHint,
  paymentStartOptions,
  paymentWorkflowType,
  providerEventReceived,
  type RefundWorkflowInput,
  refundStartOptions,
  refundWorkflowType,
} from '../workflows/contract.ts';
import { formatMoney } from '../workflows/domain/money.ts';
import type { SweepTally } from '../workflows/ports.ts';
import {
  type SubscriptionWorkflowInput,
  subscriptionStartOptions,
  subscriptionSummary,
  subscriptionWorkflowType,
} from '../workflows/subscription-contract.ts';
import { testClockStartOptions, testClockWorkflowType } from '../workflows/test-clock-contract.ts';
import type { ActivityDeps } from './deps.ts';

/**
 * The sweep: whatever is open in the database and has no workflow gets one. Starting is the question: what has an open
 * workflow refuses a second one. A row that cannot be started is logged and stops nobody behind it; a database or a Temporal
 * that is away ends the pass.
 */
interface Sweep<Row extends { readonly id: string }> {
  list(page: { readonly madeBefore: Date; readonly afterId: string; readonly limit: number }): Promise<readonly Row[]>;
  /** Whether it had to be started. */
  start(row: Row): Promise<boolean>;
  about(row: Row): LogFields;
}

interface Pass {
  readonly ageMinSeconds: number;
}

const pageSize = 200;
const startsAtOnce = 8;

/** Starts a workflow for every payment that needs one, is older than a moment and has none. */
export function resumePayments({ db, logger }: ActivityDeps, pass: Pass): Promise<SweepTally> {
  return sweep(logger, pass, {
    list: (page) => listOpenPayments(db, page),
    start: (payment) => startAnew(() => startPayment(payment)),
    about: ({ id, correlationId }) => ({ payment_id: id, request_id: correlationId }),
  });
}

/** The same for every refund. */
export function resumeRefunds({ db, logger }: ActivityDeps, pass: Pass): Promise<SweepTally> {
  return sweep(logger, pass, {
    list: (page) => listOpenRefunds(db, page),
    start: (refund) => startAnew(() => startRefund(refund)),
    about: (refund) => ({ movement_id: refund.id, payment_id: refund.payment_id, request_id: refund.correlation_id }),
  });
}

/** Tells the workflow that it is for of every provider's event that the API stored and could not hand over. */
export function resumeProviderEvents({ db, logger }: ActivityDeps, pass: Pass): Promise<SweepTally> {
  return sweep(logger, pass, {
    list: (page) => listOpenProviderEvents(db, page),
    start: (event) => tellOfEvent(db, event),
    about: ({ id }) => ({ event_id: id }),
  });
}

/** Of one pass: what is left has its turn in the next one. */
const overdueMax = 1_000;
const quietMs = 300_000;

/** The same for every subscription whose workflow let pass what was due. */
export function resumeSubscriptions({ db, logger }: ActivityDeps, pass: Pass): Promise<SweepTally> {
  let left = overdueMax;
  return sweep(logger, pass, {
    async list({ madeBefore, limit }) {
      const quietUntil = new Date(Date.now() + quietMs);
      const claimed = await claimOverdueSubscriptions(db, {
        dueBefore: madeBefore,
        quietUntil,
        limit: Math.min(left, limit),
      });
      left -= claimed.length;
      return claimed;
    },
    start: (subscription) => startAnew(() => startSubscription(subscription)),
    about: ({ id, correlation_id }) => ({ subscription_id: id, request_id: correlation_id }),
  });
}

/** The same for every test clock that is being advanced. */
export function resumeTestClocks({ db, logger }: ActivityDeps, pass: Pass): Promise<SweepTally> {
  return sweep(logger, pass, {
    list: (page) => listOpenTestClocks(db, page),
    start: (clock) => startAnew(() => startTestClock(clock)),
    about: ({ id }) => ({ workflow_id: id }),
  });
}

/** The same for every batch whose rows may still be started. Files whose reading was cut off long ago are given up. */
export async function resumeBatches({ db, logger }: ActivityDeps, pass: Pass): Promise<SweepTally> {
  await abandonBatches(db);
  await removeRefusedRows(db, heartbeat);
  return sweep(logger, pass, {
    list: (page) => listOpenBatches(db, page),
    start: (batch) => startAnew(() => startBatch(batch)),
    about: ({ id, correlation_id }) => ({ batch_id: id, request_id: correlation_id }),
  });
}

async function sweep<Row extends { readonly id: string }>(
  logger: Logger,
  { ageMinSeconds }: Pass,
  work: Sweep<Row>,
): Promise<SweepTally> {
  const rows = openRows(work, new Date(Date.now() - ageMinSeconds * 1000));
  const tally = { checked: 0, resumed: 0 };
  const workThrough = async () => {
    for await (const row of rows) {
      const isResumed = await tryToStart(logger, work, row);
      tally.checked += 1;
      if (isResumed) tally.resumed += 1;
      heartbeat({ ...tally });
    }
  };
  await Promise.all(Array.from({ length: startsAtOnce }, workThrough));
  return tally;
}

async function* openRows<Row extends { readonly id: string }>(work: Sweep<Row>, madeBefore: Date): AsyncGenerator<Row> {
  let afterId = '';
  for (;;) {
    const page = await work.list({ madeBefore, afterId, limit: pageSize });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    afterId = last.id;
  }
}

async function tryToStart<Row extends { readonly id: string }>(
  logger: Logger,
  work: Sweep<Row>,
  row: Row,
): Promise<boolean> {
  try {
    const isStarted = await work.start(row);
    if (isStarted) logger.info(work.about(row), 'resumed what had no workflow');
    return isStarted;
  } catch (err) {
    if (!isFaultOfOne(err)) throw err;
    logger.error({ ...work.about(row), err }, 'what has no workflow cannot be resumed: see its row');
    return false;
  }
}

/** Whether an error is about this row alone: our own while preparing it, or Temporal's refusal of what we sent. */
function isFaultOfOne(error: unknown): boolean {
  return !(error instanceof ServiceError) || grpcCodeOf(error) === invalidArgument;
}

async function startAnew(start: () => Promise<unknown>): Promise<boolean> {
  try {
    await start();
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

function startPayment(payment: OpenPayment): Promise<unknown> {
  return getClient().workflow.start(paymentWorkflowType, paymentOptionsOf(payment));
}

function paymentOptionsOf(payment: OpenPayment) {
  const { id: paymentId, merchantId, isTest, currency } = payment;
  const input: PaymentWorkflowInput = { paymentId, merchantId, isTest };
  const summary = `${formatMoney({ amountMinor: payment.amount, currency })} · ${payment.externalId}`;
  return { ...paymentStartOptions({ ...input, currency, summary }), args: [input] as [PaymentWorkflowInput] };
}

function startRefund(refund: OpenRefund): Promise<unknown> {
  return getClient().workflow.start(refundWorkflowType, refundOptionsOf(refund));
}

function refundOptionsOf({
  id: refundId,
  payment_id: paymentId,
  merchant_id: merchantId,
  amount,
  currency,
}: OpenRefund) {
  const input: RefundWorkflowInput = { refundId, paymentId, merchantId };
  const summary = `refund of ${formatMoney({ amountMinor: BigInt(amount), currency })}`;
  return { ...refundStartOptions({ ...input, currency, summary }), args: [input] as [RefundWorkflowInput] };
}

function startBatch({
  id: batchId,
  merchant_id: merchantId,
  kind,
  reference,
  rows_total,
}: OpenBatch): Promise<unknown> {
  const input: BatchWorkflowInput = { batchId, merchantId };
  const summary = `${rows_total} ${kind} · ${reference}`;
  return getClient().workflow.start(batchWorkflowType, { ...batchStartOptions({ ...input, summary }), args: [input] });
}

/** Starts the workflow that it is for, where none is open, and tells it. An event about nothing of ours is done with. */
async function tellOfEvent(db: Database, event: OpenProviderEvent): Promise<boolean> {
  const now = new Date().toISOString();
  const subject = await findSubject(db, event.reference);
  if (subject === null) {
    await settleProviderEvents(db, [event.id], now, 'ignored');
    return false;
  }
  const { workflow } = getClient();
  const hint: [ProviderEventHint] = [{ providerEventId: event.id }];
  const signal = { signal: providerEventReceived, signalArgs: hint };
  if (subject.movement?.kind === 'refund') {
    await workflow.signalWithStart(refundWorkflowType, { ...refundOptionsOf(refundOf(subject)), ...signal });
  } else {
    await workflow.signalWithStart(paymentWorkflowType, { ...paymentOptionsOf(paymentOf(subject)), ...signal });
  }
  await noteProviderEventError(db, event.id, 'handed over by the sweep', now);
  return true;
}

function refundOf(subject: EventSubject): OpenRefund {
  const { paymentId, merchantId, correlationId, amountMinor: amount, currency, movement } = subject;
  const names = { payment_id: paymentId, merchant_id: merchantId, correlation_id: correlationId };
  return { id: movement?.id ?? paymentId, ...names, amount, currency };
}

function paymentOf(subject: EventSubject): OpenPayment {
  return { ...subject, id: subject.paymentId, amount: BigInt(subject.amountMinor) };
}

function startSubscription(subscription: OverdueSubscription): Promise<unknown> {
  const { id: subscriptionId, merchant_id: merchantId, is_test: isTest } = subscription;
  const input: SubscriptionWorkflowInput = { subscriptionId, merchantId, isTest };
  const summary = subscriptionSummary({
    amountMinor: BigInt(subscription.amount),
    currency: subscription.currency,
    billingCycle: subscription.billing_cycle,
    externalId: subscription.external_id,
  });
  const options = subscriptionStartOptions({ subscriptionId, merchantId, summary });
  return getClient().workflow.start(subscriptionWorkflowType, { ...options, args: [input] });
}

function startTestClock({ id: clockId, merchantId }: OpenTestClock): Promise<unknown> {
  const input = { clockId, merchantId };
  return getClient().workflow.start(testClockWorkflowType, { ...testClockStartOptions(input), args: [input] });
}
