import { getClient, heartbeat } from '@temporalio/activity';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { listOpenPayments, type OpenPayment } from '../prisma/payments.ts';
import { type PaymentWorkflowInput, paymentStartOptions, paymentWorkflowType } from '../workflows/contract.ts';
import { formatMoney } from '../workflows/domain/money.ts';
import type { ActivityDeps } from './deps.ts';

const pageSize = 200;

/**
 * Starts a workflow for every payment that is not final, was not touched for a while and has none. Starting is the
 * question: a payment whose workflow is open refuses a second one.
 */
export async function resumePayments(
  { db, logger }: ActivityDeps,
  input: { readonly untouchedForSeconds: number },
): Promise<{ checked: number; resumed: number }> {
  const untouchedSince = new Date(Date.now() - input.untouchedForSeconds * 1000);
  let checked = 0;
  let resumed = 0;
  let afterId = '';
  for (;;) {
    const page = await listOpenPayments(db, { untouchedSince, afterId, limit: pageSize });
    for (const payment of page) {
      if (await resume(payment)) {
        resumed += 1;
        logger.info({ payment_id: payment.id }, 'resumed a payment that had no workflow');
      }
    }
    checked += page.length;
    heartbeat({ checked, resumed });
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return { checked, resumed };
    afterId = last.id;
  }
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
