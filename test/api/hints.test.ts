import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHints, type HintedSubject } from '../../api/temporal/hints.ts';

const { workflowservice } = proto.temporal.api;

/** A client without a server: what it would be sent, the test sees. */
const connection = Connection.lazy({ address: '127.0.0.1:1' });
const { workflowService } = connection;
const hints = createHints(new Client({ connection }));
beforeEach(() => {
  vi.spyOn(workflowService, 'getSystemInfo').mockResolvedValue(workflowservice.v1.GetSystemInfoResponse.create());
});
afterEach(() => void vi.restoreAllMocks());
afterAll(() => connection.close());

const subject: HintedSubject = {
  paymentId: 'pay_1',
  merchantId: 'mer_1',
  isTest: true,
  externalId: 'order-17',
  amountMinor: '2599',
  currency: 'USD',
  movement: null,
};

function grpcError(code: number): Error {
  return Object.assign(new Error(`${code}: no`), { code, details: 'no', metadata: { get: () => [] } });
}

test.each([
  ['a payment', null, 'paymentWorkflow', 'pay_1', { paymentId: 'pay_1', merchantId: 'mer_1', isTest: true }],
  ['a capture', 'capture', 'paymentWorkflow', 'pay_1', { paymentId: 'pay_1', merchantId: 'mer_1', isTest: true }],
  ['a void', 'void', 'paymentWorkflow', 'pay_1', { paymentId: 'pay_1', merchantId: 'mer_1', isTest: true }],
  ['a refund', 'refund', 'refundWorkflow', 'mov_1', { refundId: 'mov_1', paymentId: 'pay_1', merchantId: 'mer_1' }],
] as const)('an event about %s goes to its workflow, which starts with what its row needs', async (...given) => {
  const [, kind, type, workflowId, input] = given;
  const sent = vi
    .spyOn(workflowService, 'signalWithStartWorkflowExecution')
    .mockResolvedValue(workflowservice.v1.SignalWithStartWorkflowExecutionResponse.create({ runId: 'run' }));
  await hints.tellProviderEvent({ ...subject, movement: kind && { id: 'mov_1', kind } }, 'pev_1');
  expect(sent).toHaveBeenCalledTimes(1);
  const [request] = sent.mock.calls[0] ?? [];
  const read = (payloads: proto.temporal.api.common.v1.IPayloads | null | undefined) =>
    (payloads?.payloads ?? []).map((payload) => defaultPayloadConverter.fromPayload<unknown>(payload));
  expect(request).toMatchObject({
    workflowId,
    workflowType: { name: type },
    taskQueue: { name: 'payments' },
    signalName: 'providerEventReceived',
  });
  expect(read(request?.input)).toEqual([input]);
  expect(read(request?.signalInput)).toEqual([{ providerEventId: 'pev_1' }]);
});

test('an event that Temporal does not take is the caller’s to know of', async () => {
  vi.spyOn(workflowService, 'signalWithStartWorkflowExecution').mockRejectedValue(grpcError(14));
  await expect(hints.tellProviderEvent(subject, 'pev_1')).rejects.toThrow();
});

test('a payer’s return is a signal to an open workflow alone, and nothing where there is none', async () => {
  const sent = vi
    .spyOn(workflowService, 'signalWorkflowExecution')
    .mockResolvedValueOnce(workflowservice.v1.SignalWorkflowExecutionResponse.create())
    .mockRejectedValueOnce(grpcError(5))
    .mockRejectedValueOnce(grpcError(14));
  await hints.tellPayerReturned('pay_1');
  expect(sent.mock.calls[0]?.[0]).toMatchObject({
    workflowExecution: { workflowId: 'pay_1' },
    signalName: 'payerReturned',
  });
  await hints.tellPayerReturned('pay_1'); // again within moments: told already
  expect(sent).toHaveBeenCalledTimes(1);
  await hints.tellPayerReturned('pay_2');
  await expect(hints.tellPayerReturned('pay_3')).rejects.toThrow();
});
