import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import {
  type AwaitedSubscription,
  awaitSubscription,
  type SubscriptionWorkflowInput,
  type SubscriptionWorkflowResult,
  subscriptionStartOptions,
  subscriptionWorkflowType,
} from '../../workflows/subscription-contract.ts';
import type { SubscriptionRequest } from '../../workflows/subscription-ports.ts';
import type { FakePayment } from './fake-payment.ts';
import { FakeSubscription, type SubscriptionScript } from './fake-subscription.ts';
import { type Start, startWithUpdate, type WorkflowUnderTest, workflowUnderTest } from './workflow-under-test.ts';

/** A subscription under test: its fake world and its workflow. */
export interface SubscriptionUnderTest extends WorkflowUnderTest<SubscriptionWorkflowResult> {
  readonly fake: FakeSubscription;
  /** As the API does it: starts or attaches, and waits. */
  awaited(until: 'accepted' | 'outcome', requestHash?: string): Promise<AwaitedSubscription>;
}

/** Makes one; its ports must be the worker's, and `register` must make its payments' so too. */
export function subscriptionUnderTest(
  client: Client,
  script: SubscriptionScript,
  register: (payment: FakePayment) => void,
): SubscriptionUnderTest {
  const subscriptionId = `sub_${randomUUID()}`;
  const fake = new FakeSubscription(subscriptionId, script, register);
  const ids = { subscriptionId, merchantId: 'mer_1', isTest: true };
  const startOf = (input: SubscriptionWorkflowInput): Start => ({
    type: subscriptionWorkflowType,
    options: {
      ...subscriptionStartOptions({ ...ids, summary: '25.99 USD every month · order-17' }),
      args: [input],
    },
  });
  const { requestHash } = fake.row;
  const whole = (hash: string) => startOf({ ...ids, request: { ...request, requestHash: hash } });
  return {
    ...workflowUnderTest<SubscriptionWorkflowResult>(client, { whole: whole(requestHash), bare: startOf(ids) }),
    fake,
    awaited: (until, hash = requestHash) =>
      startWithUpdate(client, whole(hash), awaitSubscription, [{ requestHash: hash, until }]),
  };
}

const request: Omit<SubscriptionRequest, 'requestHash'> = {
  idempotencyKey: 'key-1',
  externalId: 'order-17',
  correlationId: 'c',
  actor: 'api_key:k',
  origin: '::1',
  customerId: 'customer-1',
  planId: 'pln_1',
  planVersion: 1,
  quantity: 1,
  timeZone: 'UTC',
  startsAt: null,
  trialDays: null,
  paymentMethod: { type: 'credit_card', cardToken: 'tok_secret_1', expiry: null },
  description: null,
  metadata: {},
};
