import { getClient, heartbeat } from '@temporalio/activity';
import { ServiceError, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Database } from '../prisma/database.ts';
import { listOpenPayments, type OpenPayment } from '../prisma/payments.ts';
import { grpcCodeOf } from '../runtime/grpc.ts';
import type { Logger } from '../runtime/logger.ts';
import { type PaymentWorkflowInput, paymentStartOptions, paymentWorkflowType } from '../workflows/contract.ts';
import { formatMoney } from '../workflows/domain/money.ts';
import type { ActivityDeps } from './deps.ts';

const pageSize = 200;
const startsAtOnce = 8;

/**
 * Starts a workflow for every payment that is not final, is older than a moment and has none. Starting is the
 * question: a payment whose workflow is open refuses a second one. A payment that cannot be started is logged and stops
 * nobody behind it; a database or a Temporal that is away ends the pass.
 */
export async function resumePayments(
  { db, logger }: ActivityDeps,
  input: { readonly ageMinSeconds: number },
): Promise<{ checked: number; resumed: number }> {
  const payments = openPayments(db, new Date(Date.now() - input.ageMinSeconds * 1000));
  const tally = { checked: 0, resumed: 0 };
  const work = async () => {
    for await (const payment of payments) {
      const isResumed = await tryToResume(logger, payment);
      tally.checked += 1;
      if (isResumed) tally.resumed += 1;
      heartbeat({ ...tally });
    }
  };
  await Promise.all(Array.from({ length: startsAtOnce }, work));
  return tally;
}

async function* openPayments(db: Database, madeBefore: Date): AsyncGenerator<OpenPayment> {
  let afterId = '';
  for (;;) {
    const page = await listOpenPayments(db, { madeBefore, afterId, limit: pageSize });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    afterId = last.id;
  }
}

async function tryToResume(logger: Logger, payment: OpenPayment): Promise<boolean> {
  const about = { payment_id: payment.id, request_id: payment.correlationId };
  try {
    const isResumed = await resume(payment);
    if (isResumed) logger.info(about, 'resumed a payment that had no workflow');
    return isResumed;
  } catch (err) {
    if (!isFaultOfOne(err)) throw err;
    logger.error({ ...about, err }, 'a payment without a workflow cannot be resumed: see its row');
    return false;
  }
}

/** gRPC's INVALID_ARGUMENT. */
const invalidArgument = 3;

/** Whether an error is about this payment alone: our own while preparing it, or Temporal's refusal of what we sent. */
function isFaultOfOne(error: unknown): boolean {
  return !(error instanceof ServiceError) || grpcCodeOf(error) === invalidArgument;
}

async function resume(payment: OpenPayment): Promise<boolean> {
  const input: PaymentWorkflowInput = {
    paymentId: payment.id,
    merchantId: payment.merchantId,
    isTest: payment.isTest,
  };
  const money = formatMoney({ amountMinor: payment.amount, currency: payment.currency });
  const options = paymentStartOptions({
    ...input,
    currency: payment.currency,
    summary: `${money} · ${payment.externalId}`,
  });
  try {
    await getClient().workflow.start(paymentWorkflowType, { ...options, args: [input] });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}
