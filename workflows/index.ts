/** Every workflow of the bundle; the exported names are the workflow types that histories store. */
export { batchWorkflow } from './batch.ts';
export { cleanupWorkflow } from './cleanup.ts';
export { deliveryWorkflow } from './delivery.ts';
export { dispatchWorkflow } from './dispatch.ts';
export { paymentWorkflow } from './payment.ts';
export { refundWorkflow } from './refund.ts';
export { subscriptionWorkflow } from './subscription.ts';
export { sweepWorkflow } from './sweep.ts';
export { testClockWorkflow } from './test-clock.ts';
