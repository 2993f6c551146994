/** Every workflow of the bundle; the exported names are the workflow types that histories store. */
export { paymentWorkflow } from './payment.ts';
export { sweepWorkflow } from './sweep.ts';
