import type { Route } from '../route.ts';
import { createApiKeyRoute } from './api-keys.create.ts';
import { getApiKey } from './api-keys.get.ts';
import { listApiKeysRoute } from './api-keys.list.ts';
import { revokeApiKeyRoute } from './api-keys.revoke.ts';
import { updateApiKey } from './api-keys.update.ts';
import { listAuditLogs } from './audit-logs.list.ts';
import { cleanUp } from './auth.cleanup.ts';
import { getMe } from './auth-me.get.ts';
import { getBalance } from './balance.get.ts';
import { getBatchResult } from './batch-result.get.ts';
import { cancelBatch } from './batches.cancel.ts';
import { createBatch } from './batches.create.ts';
import { getBatch } from './batches.get.ts';
import { listBatches } from './batches.list.ts';
import { pauseBatch } from './batches.pause.ts';
import { resumeBatch } from './batches.resume.ts';
import { updateBatch } from './batches.update.ts';
import { blankCustomerRoute } from './customers.blank.ts';
import { createCustomer } from './customers.create.ts';
import { getCustomer } from './customers.get.ts';
import { listCustomers } from './customers.list.ts';
import { updateCustomer } from './customers.update.ts';
import { closeDiscrepancyRoute } from './discrepancies.close.ts';
import { listDiscrepancies } from './discrepancies.list.ts';
import { listEvents } from './events.list.ts';
import { health } from './health.get.ts';
import { healthDetailed } from './health-detailed.get.ts';
import { healthLive } from './health-live.get.ts';
import { healthReady } from './health-ready.get.ts';
import { acceptInvitationRoute } from './invitations.accept.ts';
import { getInvoicePage } from './invoice-page.get.ts';
import { getInvoice } from './invoices.get.ts';
import { listInvoices } from './invoices.list.ts';
import { getJwks } from './jwks.get.ts';
import { listPostings } from './ledger.list.ts';
import { getOwnMerchant } from './merchant.get.ts';
import { updateOwnMerchant } from './merchant.update.ts';
import { createMerchantRoute } from './merchants.create.ts';
import { getMerchantRoute } from './merchants.get.ts';
import { listMerchantsRoute } from './merchants.list.ts';
import { updateMerchantRoute } from './merchants.update.ts';
import { getMetrics } from './metrics.get.ts';
import { changePasswordRoute } from './password.change.ts';
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
import { checkPermissions } from './permissions.check.ts';
import { listPlanVersions } from './plan-versions.list.ts';
import { createPlan } from './plans.create.ts';
import { getPlan } from './plans.get.ts';
import { listPlans } from './plans.list.ts';
import { updatePlan } from './plans.update.ts';
import { receiveProviderEvent } from './provider-events.receive.ts';
import { getRefund } from './refunds.get.ts';
import { resolveRefund } from './refunds.resolve.ts';
import { cancelSubscription } from './subscriptions.cancel.ts';
import { createSubscription } from './subscriptions.create.ts';
import { getSubscription } from './subscriptions.get.ts';
import { listSubscriptions } from './subscriptions.list.ts';
import { pauseSubscription } from './subscriptions.pause.ts';
import { previewSubscriptionRoute } from './subscriptions.preview.ts';
import { resumeSubscription } from './subscriptions.resume.ts';
import { retrySubscription } from './subscriptions.retry.ts';
import { updateSubscription } from './subscriptions.update.ts';
import { advanceTestClock } from './test-clocks.advance.ts';
import { createTestClock } from './test-clocks.create.ts';
import { getTestClock } from './test-clocks.get.ts';
import { listTestClocks } from './test-clocks.list.ts';
import { settleTestClock } from './test-clocks.settle.ts';
import { createTokens } from './tokens.create.ts';
import { refreshTokens } from './tokens.refresh.ts';
import { revokeToken } from './tokens.revoke.ts';
import { validateToken } from './tokens.validate.ts';
import { beginTotp } from './totp.begin.ts';
import { confirmTotp } from './totp.confirm.ts';
import { getUser } from './users.get.ts';
import { inviteUserRoute } from './users.invite.ts';
import { listUsersRoute } from './users.list.ts';
import { updateUser } from './users.update.ts';
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
  createBatch,
  listBatches,
  getBatch,
  updateBatch,
  pauseBatch,
  resumeBatch,
  cancelBatch,
  getBatchResult,
  createCustomer,
  listCustomers,
  getCustomer,
  updateCustomer,
  blankCustomerRoute,
  createPlan,
  listPlans,
  getPlan,
  updatePlan,
  listPlanVersions,
  createSubscription,
  listSubscriptions,
  getSubscription,
  updateSubscription,
  cancelSubscription,
  pauseSubscription,
  resumeSubscription,
  retrySubscription,
  previewSubscriptionRoute,
  listInvoices,
  getInvoice,
  getInvoicePage,
  createTestClock,
  listTestClocks,
  getTestClock,
  advanceTestClock,
  settleTestClock,
  createApiKeyRoute,
  listApiKeysRoute,
  getApiKey,
  updateApiKey,
  revokeApiKeyRoute,
  getOwnMerchant,
  updateOwnMerchant,
  createTokens,
  refreshTokens,
  revokeToken,
  validateToken,
  getMe,
  checkPermissions,
  getJwks,
  inviteUserRoute,
  listUsersRoute,
  getUser,
  updateUser,
  acceptInvitationRoute,
  beginTotp,
  confirmTotp,
  changePasswordRoute,
  receiveProviderEvent,
  resolvePayment,
  resolveRefund,
  listDiscrepancies,
  closeDiscrepancyRoute,
  createMerchantRoute,
  listMerchantsRoute,
  getMerchantRoute,
  updateMerchantRoute,
  listAuditLogs,
  cleanUp,
  getVersion,
  health,
  healthLive,
  healthReady,
  healthDetailed,
  getMetrics,
];
