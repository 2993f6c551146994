import type { Route } from '../route.ts';
import { getBalance } from './balance.get.ts';
import { closeDiscrepancyRoute } from './discrepancies.close.ts';
import { listDiscrepancies } from './discrepancies.list.ts';
import { listEvents } from './events.list.ts';
import { health } from './health.get.ts';
import { healthDetailed } from './health-detailed.get.ts';
import { healthLive } from './health-live.get.ts';
import { healthReady } from './health-ready.get.ts';
import { listPostings } from './ledger.list.ts';
import { getMetrics } from './metrics.get.ts';
import { returnPayer } from './payer-return.get.ts';
import { listPaymentAttempts } from './payment-attempts.list.ts';
import { listPaymentCaptures } from './payment-captures.list.ts';
import { listPaymentEvents } from './payment-events.list.ts';
import { listPaymentRefunds } from './payment-refunds.list.ts';
import { cancelPayment } from './payments.cancel.ts';
import { capturePayment } from './payments.capture.ts';
import { createPayment } from './payments.create.ts';
import { getPayment } from './payments.get.ts';
import { listPayments } from './payments.list.ts';
import { refundPayment } from './payments.refund.ts';
import { resolvePayment } from './payments.resolve.ts';
import { updatePayment } from './payments.update.ts';
import { receiveProviderEvent } from './provider-events.receive.ts';
import { getRefund } from './refunds.get.ts';
import { resolveRefund } from './refunds.resolve.ts';
import { getVersion } from './version.get.ts';
import { createWebhook } from './webhooks.create.ts';
import { listWebhooks } from './webhooks.list.ts';

/** Every operation of the API; what is not listed here is not served and not documented. */
export const routes: readonly Route[] = [
  createPayment,
  listPayments,
  getPayment,
  updatePayment,
  capturePayment,
  cancelPayment,
  refundPayment,
  listPaymentCaptures,
  listPaymentRefunds,
  listPaymentAttempts,
  listPaymentEvents,
  returnPayer,
  getRefund,
  getBalance,
  listPostings,
  listEvents,
  createWebhook,
  listWebhooks,
  receiveProviderEvent,
  resolvePayment,
  resolveRefund,
  listDiscrepancies,
  closeDiscrepancyRoute,
  getVersion,
  health,
  healthLive,
  healthReady,
  healthDetailed,
  getMetrics,
];
