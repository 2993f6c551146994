import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { PaymentSubmission } from '../../api/temporal/payment-client.ts';
import {
  type AwaitedPayment,
  awaitAccepted,
  awaitOutcome,
  type PaymentWorkflowInput,
  type PaymentWorkflowResult,
  paymentStartOptions,
  paymentWorkflowType,
} from '../../workflows/contract.ts';
import { aPaymentRequest } from '../support/payment-request.ts';
import { FakePayment } from './fake-payment.ts';
import { rowOf, termsOf } from './rows.ts';
import type { Script } from './script.ts';
import { type Start, startWithUpdate, type WorkflowUnderTest, workflowUnderTest } from './workflow-under-test.ts';

/** Personal data and secrets of every payment here: none of it may show where operators look. */
export const secrets = {
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  cardToken: 'tok_secret_1',
  description: 'a gift',
};

/** A payment under test: its fake world and its workflow. */
export interface PaymentUnderTest extends WorkflowUnderTest<PaymentWorkflowResult> {
  readonly fake: FakePayment;
  readonly requestHash: string;
  /** What the API submits for it. */
  readonly input: PaymentSubmission;
  /** As the API does it: starts or attaches, and waits. */
  awaitOutcome(requestHash?: string): Promise<AwaitedPayment>;
  awaitAccepted(requestHash?: string): Promise<AwaitedPayment>;
}

/** Makes one; its ports must be the worker's. */
export function paymentUnderTest(client: Client, script: Script): PaymentUnderTest {
  const paymentId = `pay_${randomUUID()}`;
  const request = aPaymentRequest({
    requestHash: `hash of ${paymentId}`,
    externalId: 'order-17',
    cardToken: secrets.cardToken,
    customerId: 'customer-1',
    customerEmail: secrets.email,
    customerName: secrets.name,
    description: secrets.description,
    captureMethod: script.captureMethod ?? 'automatic',
    terms: termsOf(script),
  });
  const { requestHash } = request;
  const input: PaymentSubmission = { paymentId, merchantId: 'mer_1', isTest: true, request };
  const { merchantId, isTest } = input;
  const summary = `25.99 USD · ${request.externalId}`;
  const startOf = (given: PaymentWorkflowInput): Start => ({
    type: paymentWorkflowType,
    options: { ...paymentStartOptions({ paymentId, merchantId, currency: 'USD', summary }), args: [given] },
  });
  const whole = startOf(input);
  const asking = (hash: string) => startOf({ ...input, request: { ...request, requestHash: hash } });
  return {
    ...workflowUnderTest<PaymentWorkflowResult>(client, { whole, bare: startOf({ paymentId, merchantId, isTest }) }),
    fake: new FakePayment(rowOf({ ...input, now: new Date().toISOString() }, script), script),
    requestHash,
    input,
    awaitOutcome: (hash = requestHash) => startWithUpdate(client, asking(hash), awaitOutcome, [{ requestHash: hash }]),
    awaitAccepted: (hash = requestHash) =>
      startWithUpdate(client, asking(hash), awaitAccepted, [{ requestHash: hash }]),
  };
}
