import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPaymentClient, type Submitted, type Until } from '../../api/temporal/payment-client.ts';

const { workflowservice } = proto.temporal.api;
const stages = proto.temporal.api.enums.v1.UpdateWorkflowExecutionLifecycleStage;

/** A client without a server: what Temporal would answer, the test says, below all that the SDK makes of it. */
const connection = Connection.lazy({ address: '127.0.0.1:1' });
const { workflowService } = connection;
const payments = createPaymentClient(new Client({ connection }));

beforeEach(() => {
  vi.spyOn(workflowService, 'getSystemInfo').mockResolvedValue(workflowservice.v1.GetSystemInfoResponse.create());
});
afterEach(() => void vi.restoreAllMocks());
afterAll(() => connection.close());

const payment = {
  paymentId: 'pay_1',
  merchantId: 'mer_1',
  isTest: true,
  externalId: 'order-1',
  amountMinor: '2599',
  currency: 'USD',
};
const act = { actor: 'api_key:k', reason: 'requested by the merchant' };

const capture = (until: Until = 'outcome', waitMs = 2_000): Promise<Submitted> =>
  payments.capture(payment, 'cap_1', act, until, Date.now() + waitMs);

/** Temporal has taken the message; it has ended if there is an outcome. */
function temporalTakes(outcome?: proto.temporal.api.update.v1.IOutcome) {
  const stage = outcome === undefined ? 'ACCEPTED' : 'COMPLETED';
  const updateWorkflow = {
    stage: stages[`UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_${stage}`],
    updateRef: { workflowExecution: { workflowId: 'pay_1', runId: randomUUID() } },
    ...(outcome && { outcome }),
  };
  const responses = [{ startWorkflow: { runId: randomUUID() } }, { updateWorkflow }];
  return vi
    .spyOn(workflowService, 'executeMultiOperation')
    .mockResolvedValue(workflowservice.v1.ExecuteMultiOperationResponse.fromObject({ responses }));
}

const ended = { success: { payloads: [defaultPayloadConverter.toPayload({ state: 'succeeded' })] } };
const failed = (type: string, message = 'no') => ({ failure: { message, applicationFailureInfo: { type } } });

function grpcError(code: number, words: string): Error {
  return Object.assign(new Error(`${code}: ${words}`), { code, details: words, metadata: { get: () => [] } });
}

describe('an act', () => {
  test('that has come to its end is stored', async () => {
    temporalTakes(ended);
    expect(await capture()).toEqual({ kind: 'stored' });
  });

  test('starts the workflow without a request, or goes to the open one, under an id that tells a repeat', async () => {
    const sent = temporalTakes(ended);
    await capture();
    await payments.cancel(payment, 'key-1', act, 'outcome', Date.now() + 2_000);
    const [first, second] = sent.mock.calls.map(([request]) => request.operations);
    const start = first?.[0]?.startWorkflow;
    expect(start).toMatchObject({ workflowId: 'pay_1', workflowType: { name: 'paymentWorkflow' } });
    expect(start?.workflowIdConflictPolicy).toBe(
      proto.temporal.api.enums.v1.WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
    );
    const input = start?.input?.payloads?.map((payload) => defaultPayloadConverter.fromPayload(payload));
    expect(input).toEqual([{ paymentId: 'pay_1', merchantId: 'mer_1', isTest: true }]);
    const updateIdOf = (operations: typeof first) => operations?.[1]?.updateWorkflow?.request?.meta?.updateId;
    expect(updateIdOf(first)).toBe('capture:cap_1');
    expect(updateIdOf(second), 'a key is the merchant’s own word').toMatch(/^cancel_[0-9a-z]{26}$/);
  });

  test.each([
    'not_found',
    'idempotency_key_reused',
    'payment_not_capturable',
    'payment_not_cancelable',
    'payment_not_refundable',
    'movement_in_progress',
    'amount_exceeds_capturable',
    'amount_exceeds_refundable',
    'refund_spans_captures',
    'not_unresolved',
    'wrong_outcome',
    'refused',
  ])('that its workflow refuses as %s is refused with that code and its words', async (code) => {
    temporalTakes(failed(code, 'a capture is under way'));
    expect(await capture()).toEqual({ kind: 'refused', code, detail: 'a capture is under way' });
  });

  test.each(['Error', 'TypeError', 'toString'])('whose handler fails with a %s is an error of ours', async (type) => {
    temporalTakes(failed(type, 'a defect'));
    await expect(capture()).rejects.toThrow();
  });

  test('that is taken on and does not end before the deadline is accepted', async () => {
    temporalTakes();
    const polls = vi
      .spyOn(workflowService, 'pollWorkflowExecutionUpdate')
      .mockRejectedValue(grpcError(4, 'Deadline exceeded'));
    expect(await capture()).toEqual({ kind: 'accepted' });
    expect(polls).toHaveBeenCalledTimes(1);
  });

  test('whose run is gone before it ended has no answer: a later run may not know of it', async () => {
    temporalTakes(failed('AcceptedUpdateCompletedWorkflow'));
    expect(await capture()).toMatchObject({ kind: 'no_answer' });
  });

  test('that Temporal refuses, or cannot be sent to it, is not taken', async () => {
    vi.spyOn(workflowService, 'executeMultiOperation').mockRejectedValue(grpcError(7, 'Request unauthorized.'));
    expect(await capture()).toMatchObject({ kind: 'not_taken' });
  });

  test('that is sent and not answered has no answer', async () => {
    vi.spyOn(workflowService, 'executeMultiOperation').mockRejectedValue(grpcError(14, 'no frontend is up'));
    expect(await capture()).toMatchObject({ kind: 'no_answer' });
  });
});

test('a refund is one question for each thing to wait for, whose refusal is an answer', async () => {
  const request = {
    idempotencyKey: 'k',
    requestHash: 'h',
    correlationId: 'c',
    actor: 'api_key:k',
    origin: '::1',
    reason: null,
    amountMinor: null,
    captureId: null,
  };
  const refused = { kind: 'refused', code: 'amount_exceeds_refundable' };
  const sent = temporalTakes({ success: { payloads: [defaultPayloadConverter.toPayload(refused)] } });
  const refund = { ...payment, refundId: 'ref_1', amountMinor: null, request };
  for (const until of ['accepted', 'outcome'] as const) {
    expect(await payments.refund(refund, until, Date.now() + 2_000)).toEqual(refused);
  }
  const updates = sent.mock.calls.map(([{ operations }]) => operations?.[1]?.updateWorkflow?.request?.meta?.updateId);
  const ids = updates.map((id) => id?.split(':').slice(0, 3).join(':'));
  expect(new Set(ids)).toEqual(new Set(['awaitRefund:accepted:h', 'awaitRefund:outcome:h']));
  expect(new Set(updates).size, 'a refusal is asked for anew').toBe(4);
});
