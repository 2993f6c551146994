import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { hashOfBody } from '../../api/request-hash.ts';
import { createPaymentClient } from '../../api/temporal/payment-client.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { acceptAtOnce } from '../support/accept-at-once.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { aPaymentRequest } from '../support/payment-request.ts';

const { errordetails, workflowservice } = proto.temporal.api;
const merchantId = 'mer_1';

/** A client without a server: what Temporal would answer, the test says, below all that the SDK makes of it. */
const connection = Connection.lazy({ address: '127.0.0.1:1' });
const { workflowService } = connection;
const { database, api } = apiUnderTest({ payments: createPaymentClient(new Client({ connection })) });
let apiKey: string;
/** Where the log of this test begins. */
let logStart = 0;
const log = () => api.log().slice(logStart);

beforeAll(async () => {
  apiKey = await api.keyFor(merchantId);
});
afterEach(() => {
  vi.restoreAllMocks();
  logStart = api.log().length;
});
afterAll(() => connection.close());

/** Temporal is reachable, and answers each submission as `submission` does. */
function temporalAnswers(
  submission: () => Promise<proto.temporal.api.workflowservice.v1.ExecuteMultiOperationResponse>,
) {
  vi.spyOn(workflowService, 'getSystemInfo').mockResolvedValue(workflowservice.v1.GetSystemInfoResponse.create());
  return vi.spyOn(workflowService, 'executeMultiOperation').mockImplementation(submission);
}

const post = (idempotencyKey: string = randomUUID(), prefer = 'wait=2') =>
  postPayment(api.url, aPayment(), { apiKey, key: idempotencyKey, headers: { prefer } });

/** An error as the gRPC library makes it. */
function grpcError(code: number, words: string, statusDetails: readonly Uint8Array[] = []): Error {
  const metadata = { get: () => statusDetails };
  return Object.assign(new Error(`${code}: ${words}`), { code, details: words, metadata });
}

function namespaceNotFound(): Error {
  const value = errordetails.v1.NamespaceNotFoundFailure.encode({ namespace: 'nowhere' }).finish();
  const type_url = 'type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure';
  const details = proto.google.rpc.Status.encode({ code: 5, details: [{ type_url, value }] }).finish();
  return grpcError(5, 'Namespace nowhere is not found.', [Buffer.from(details)]);
}

/** What the server answers to a submission: the update got as far as this. */
function answered(id: string, outcome?: proto.temporal.api.update.v1.IOutcome) {
  const execution = { workflowId: id, runId: randomUUID() };
  const { UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED: stage } =
    proto.temporal.api.enums.v1.UpdateWorkflowExecutionLifecycleStage;
  const updateWorkflow = { stage, updateRef: { workflowExecution: execution }, ...(outcome && { outcome }) };
  const responses = [{ startWorkflow: { runId: execution.runId } }, { updateWorkflow }];
  return Promise.resolve(workflowservice.v1.ExecuteMultiOperationResponse.fromObject({ responses }));
}

const stored = { success: { payloads: [defaultPayloadConverter.toPayload({ kind: 'stored' })] } };

describe('a refusal by Temporal', () => {
  test.each<[string, () => Error, string?]>([
    ['INVALID_ARGUMENT', () => grpcError(3, 'no mapping defined for search attribute Currency')],
    ['PERMISSION_DENIED', () => grpcError(7, 'Request unauthorized.')],
    ['FAILED_PRECONDITION', () => grpcError(9, 'Namespace is in the wrong state.')],
    ['UNIMPLEMENTED', () => grpcError(12, 'unknown method ExecuteMultiOperation')],
    ['UNAUTHENTICATED', () => grpcError(16, 'The key has expired.')],
    ['of the namespace', namespaceNotFound, 'NamespaceNotFoundError'],
  ])('%s is told at once: not accepted, and its cause is logged', async (_, refusal, logged = refusal().message) => {
    const submissions = temporalAnswers(() => Promise.reject(refusal()));
    const answer = await post();
    expect([answer.status, answer.problem.code]).toEqual([503, 'not_accepted']);
    expect(submissions).toHaveBeenCalledTimes(1);
    expect(log()).toMatch(/request failed/);
    expect(log()).toContain(logged);
  });

  test('that comes after the payment was taken leaves it open whether it was accepted', async () => {
    temporalAnswers(() => answered('pay_1'));
    vi.spyOn(workflowService, 'pollWorkflowExecutionUpdate').mockRejectedValue(grpcError(7, 'Request unauthorized.'));
    expect((await post()).problem.code).toBe('acceptance_unknown');
  });

  test('of a new run for a payment that has a row leaves it accepted, and is logged', async () => {
    const idempotencyKey = randomUUID();
    const paymentId = await aPendingPayment(idempotencyKey);
    const submissions = temporalAnswers(() => answered(paymentId, stored));
    vi.spyOn(workflowService, 'startWorkflowExecution').mockRejectedValue(grpcError(7, 'Request unauthorized.'));
    const answer = await post(idempotencyKey);
    expect([answer.status, answer.payment.status]).toEqual([202, 'pending']);
    expect(submissions).toHaveBeenCalledTimes(1);
    expect(log()).toContain('Request unauthorized.');
  });
});

test('a run of another body is refused, not the request whose payment has the row', async () => {
  const idempotencyKey = randomUUID();
  const paymentId = await aPendingPayment(idempotencyKey);
  const reused = { kind: 'refused', code: 'idempotency_key_reused' };
  temporalAnswers(() => answered(paymentId, { success: { payloads: [defaultPayloadConverter.toPayload(reused)] } }));
  expect((await post(idempotencyKey)).payment.id).toBe(paymentId);
  expect((await post()).problem.code).toBe('idempotency_key_reused');
});

test('a handler that fails is an error of ours, and is not asked again', async () => {
  const failure = { message: 'a defect', applicationFailureInfo: { type: 'Error' } };
  const submissions = temporalAnswers(() => answered('pay_1', { failure }));
  const answer = await post();
  expect([answer.status, answer.problem.code]).toEqual([500, 'internal_error']);
  expect(submissions).toHaveBeenCalledTimes(1);
  expect(log()).toContain('a defect');
});

describe('submissions that end at once without an answer', () => {
  test.each<[string, () => Error, string]>([
    ['UNAVAILABLE', () => grpcError(14, 'no frontend is up'), 'no frontend is up'],
    ['NOT_FOUND, as for a run that just ended', () => grpcError(5, 'already completed'), 'already completed'],
  ])('(%s) are repeated ever more slowly, and the last cause is logged', async (_, error, logged) => {
    const submissions = temporalAnswers(() => Promise.reject(error()));
    expect((await post()).problem.code).toBe('acceptance_unknown');
    expect(log()).toContain(logged);
    expect(submissions.mock.calls.length).toBeGreaterThan(3);
    expect(submissions.mock.calls.length).toBeLessThan(13);
  });

  test('and new runs that end at once are started ever more slowly, too', async () => {
    const idempotencyKey = randomUUID();
    const paymentId = await aPendingPayment(idempotencyKey);
    const submissions = temporalAnswers(() => answered(paymentId, stored));
    const starts = vi
      .spyOn(workflowService, 'startWorkflowExecution')
      .mockResolvedValue(workflowservice.v1.StartWorkflowExecutionResponse.create({ runId: randomUUID() }));
    const answer = await post(idempotencyKey);
    expect([answer.status, answer.payment.status]).toEqual([202, 'pending']);
    expect(submissions.mock.calls.length).toBeLessThan(8);
    expect(starts.mock.calls.length).toBeLessThan(8);
  });
});

/** A row that a request with this key left behind; answers its id. */
async function aPendingPayment(idempotencyKey: string): Promise<string> {
  const scope = { merchantId, isTest: true };
  const paymentId = paymentIdOf({ ...scope, idempotencyKey });
  const receivedAt = new Date().toISOString();
  const request = aPaymentRequest({ idempotencyKey, requestHash: hashOfBody(aPayment()), receivedAt });
  await acceptAtOnce(database, { ...scope, paymentId, request });
  return paymentId;
}
