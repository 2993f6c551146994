import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import {
  type AwaitedRefund,
  awaitRefund,
  type RefundWorkflowInput,
  type RefundWorkflowResult,
  refundStartOptions,
  refundWorkflowType,
} from '../../workflows/contract.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import type { MovementRequest, MovementSnapshot } from '../../workflows/ports.ts';
import type { FakePayment } from './fake-payment.ts';
import { type Start, startWithUpdate, type WorkflowUnderTest, workflowUnderTest } from './workflow-under-test.ts';

/** A refund under test: a workflow of its own beside its payment's. */
export interface RefundUnderTest extends WorkflowUnderTest<RefundWorkflowResult> {
  readonly id: string;
  readonly requestHash: string;
  /** Its row now; absent: there is none. */
  readonly row: MovementSnapshot | undefined;
  /** As the API does it: starts or attaches, and waits. */
  awaitRefund(until: 'accepted' | 'outcome', requestHash?: string): Promise<AwaitedRefund>;
}

/** Makes one of a payment under test, of all that is left unless the request says otherwise. */
export function refundUnderTest(
  client: Client,
  payment: FakePayment,
  changes: Partial<MovementRequest>,
): RefundUnderTest {
  const idempotencyKey = changes.idempotencyKey ?? randomUUID();
  const requestHash = changes.requestHash ?? `hash of ${idempotencyKey}`;
  const request: MovementRequest = {
    idempotencyKey,
    requestHash,
    correlationId: 'c',
    actor: 'api_key:k',
    origin: '::1',
    reason: 'the goods came back',
    amountMinor: null,
    captureId: null,
    ...changes,
  };
  const paymentId = payment.id;
  const refundId = movementIdOf('refund', paymentId, idempotencyKey);
  const ids = { refundId, paymentId, merchantId: 'mer_1' };
  const startOf = (given: RefundWorkflowInput): Start => ({
    type: refundWorkflowType,
    options: { ...refundStartOptions({ ...ids, currency: 'USD', summary: 'a refund' }), args: [given] },
  });
  const whole = startOf({ ...ids, request });
  return {
    ...workflowUnderTest<RefundWorkflowResult>(client, { whole, bare: startOf(ids) }),
    id: refundId,
    requestHash,
    get row() {
      return payment.movements.rows.find(({ id }) => id === refundId);
    },
    awaitRefund: (until, hash = requestHash) =>
      startWithUpdate(client, startOf({ ...ids, request: { ...request, requestHash: hash } }), awaitRefund, [
        { requestHash: hash, until },
      ]),
  };
}
