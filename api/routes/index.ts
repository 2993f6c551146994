import type { Route } from '../route.ts';
import { listEvents } from './events.list.ts';
import { health } from './health.get.ts';
import { healthDetailed } from './health-detailed.get.ts';
import { healthLive } from './health-live.get.ts';
import { healthReady } from './health-ready.get.ts';
import { getMetrics } from './metrics.get.ts';
import { listPaymentAttempts } from './payment-attempts.list.ts';
import { listPaymentEvents } from './payment-events.list.ts';
import { createPayment } from './payments.create.ts';
import { getPayment } from './payments.get.ts';
import { listPayments } from './payments.list.ts';
import { updatePayment } from './payments.update.ts';
import { getVersion } from './version.get.ts';
import { createWebhook } from './webhooks.create.ts';
import { listWebhooks } from './webhooks.list.ts';

/** Every operation of the API; what is not listed here is not served and not documented. */
export const routes: readonly Route[] = [
  createPayment,
  listPayments,
  getPayment,
  updatePayment,
  listPaymentAttempts,
  listPaymentEvents,
  listEvents,
  createWebhook,
  listWebhooks,
  getVersion,
  health,
  healthLive,
  healthReady,
  healthDetailed,
  getMetrics,
];
