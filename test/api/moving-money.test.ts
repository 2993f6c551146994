import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import type { RefundObject } from '../../api/refund-object.ts';
import { hashOfBody } from '../../api/request-hash.ts';
import type { PaymentClient, Submitted } from '../../api/temporal/payment-client.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import type { MovementState } from '../../workflows/domain/movement.ts';
import { callApi, type List } from '../support/api-call.ts';
import type { Problem } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertMovedPayment, insertMovement } from '../support/moved-payment.ts';
import { until } from '../support/until.ts';

/** The workflows, as each test plays them. */
const workflows = {
  capture: vi.fn<PaymentClient['capture']>(),
  cancel: vi.fn<PaymentClient['cancel']>(),
  refund: vi.fn<PaymentClient['refund']>(),
  resumeRefund: vi.fn<PaymentClient['resumeRefund']>(),
  resolve: vi.fn<PaymentClient['resolve']>(),
  resolveRefund: vi.fn<PaymentClient['resolveRefund']>(),
};

const { database, api } = apiUnderTest({ payments: workflows });
let key: string;
let operator: string;
beforeAll(async () => {
  key = await api.keyFor('mer_1');
  operator = await api.operatorKey();
});
beforeEach(() => void vi.resetAllMocks());

interface Options {
  readonly apiKey?: string;
  readonly idempotencyKey?: string;
  readonly prefer?: string;
}

async function post<Data = PaymentObject>(path: string, body: unknown, options: Options = {}) {
  const response = await fetch(`${api.url}/api/v1${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${options.apiKey ?? key}`,
      'content-type': 'application/json',
      'idempotency-key': options.idempotencyKey ?? randomUUID(),
      prefer: options.prefer ?? 'wait=1',
    },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { data: Data } & Problem;
  const { status, headers } = response;
  return { status, data: answer.data, code: answer.code, problem: answer, headers };
}

const isReplay = ({ headers }: { headers: Headers }) => headers.get('idempotent-replayed') === 'true';
const sent = (state: 'stored' | 'accepted' = 'stored') => ({ kind: state }) as const;
const refused = (code: (Submitted & { kind: 'refused' })['code']): Submitted => ({ kind: 'refused', code });
const authorized = (columns: Record<string, unknown> = {}) =>
  insertMovedPayment(database, { status: 'authorized', authorized: 2599 }, columns);
const captured = () => insertMovedPayment(database, { status: 'captured', authorized: 2599, captured: 2599 });

/** Moves a payment as its workflow would. */
const move = (id: string, changes: string) =>
  database.admin.query(`UPDATE payments SET version = version + 1, ${changes} WHERE id = $1`, [id]);

/** What a workflow writes for a request of this body and key. */
function movementFor(kind: 'capture' | 'refund', paymentId: string, idempotencyKey: string, body: unknown) {
  const id = movementIdOf(kind, paymentId, idempotencyKey);
  return (state: MovementState, columns: Record<string, unknown> = {}) =>
    insertMovement(database, kind, paymentId, { id, state, request_hash: hashOfBody(body), ...columns });
}

describe('a capture', () => {
  const body = { amount: '10.00' };

  test('hands the workflow the wish with who asked, and answers the payment as its row is then', async () => {
    const id = await authorized();
    const idempotencyKey = randomUUID();
    const write = movementFor('capture', id, idempotencyKey, body);
    workflows.capture.mockImplementation(async () => {
      await write('succeeded');
      await move(id, `status = 'captured', captured_amount = 1000`);
      return sent();
    });
    const answer = await post(`/payments/${id}/capture`, body, { idempotencyKey });
    expect([answer.status, isReplay(answer), answer.headers.get('location')]).toEqual([
      201,
      true, // the workflow's row says that another request made it: its correlation id is not ours
      `/api/v1/payments/${id}`,
    ]);
    expect(answer.data).toMatchObject({ status: 'captured', captured_amount: '10.00', authorized_amount: '25.99' });
    expect(answer.data.captures).toMatchObject([{ amount: '10.00', status: 'succeeded' }]);
    const captureId = movementIdOf('capture', id, idempotencyKey);
    expect(workflows.capture).toHaveBeenCalledExactlyOnceWith(
      {
        paymentId: id,
        merchantId: 'mer_1',
        isTest: true,
        externalId: expect.any(String),
        amountMinor: '2599',
        currency: 'USD',
      },
      captureId,
      {
        actor: `api_key:${key.split('_')[2]}`,
        reason: expect.any(String),
        amount: '10.00',
        idempotencyKey,
        requestHash: hashOfBody(body),
        correlationId: answer.problem.request_id,
        origin: expect.any(String),
      },
      'outcome',
      expect.any(Number),
    );
  });

  test('that its workflow makes for this very request is no replay', async () => {
    const id = await authorized();
    const idempotencyKey = randomUUID();
    workflows.capture.mockImplementation(async (_payment, _captureId, act) => {
      await movementFor('capture', id, idempotencyKey, body)('failed', { correlation_id: act.correlationId });
      return sent();
    });
    const answer = await post(`/payments/${id}/capture`, body, { idempotencyKey });
    expect([answer.status, isReplay(answer)]).toEqual([201, false]);
    expect(answer.data.captures).toMatchObject([{ status: 'failed' }]);
  });

  test('that is still under way at the deadline is 202, and attached to when it is asked for again', async () => {
    const id = await authorized();
    const idempotencyKey = randomUUID();
    const write = movementFor('capture', id, idempotencyKey, body);
    workflows.capture.mockImplementationOnce(async () => {
      await write('pending');
      return sent('accepted');
    });
    const first = await post(`/payments/${id}/capture`, body, { idempotencyKey, prefer: 'respond-async' });
    expect([first.status, first.data.captures]).toMatchObject([202, [{ status: 'pending' }]]);
    expect(workflows.capture.mock.calls[0]?.[3]).toBe('accepted');
    workflows.capture.mockImplementationOnce(async () => {
      await database.admin.query(`UPDATE movements SET state = 'succeeded', version = 2 WHERE payment_id = $1`, [id]);
      return sent();
    });
    const second = await post(`/payments/${id}/capture`, body, { idempotencyKey });
    expect([second.status, isReplay(second), second.data.captures]).toMatchObject([
      201,
      true,
      [{ status: 'succeeded' }],
    ]);
  });

  test('that is over is answered from its row alone; its key with another body is refused', async () => {
    const id = await authorized();
    const idempotencyKey = randomUUID();
    await movementFor('capture', id, idempotencyKey, body)('succeeded');
    const answer = await post(`/payments/${id}/capture`, body, { idempotencyKey });
    expect([answer.status, isReplay(answer)]).toEqual([201, true]);
    expect((await post(`/payments/${id}/capture`, {}, { idempotencyKey })).code).toBe('idempotency_key_reused');
    expect(workflows.capture).not.toHaveBeenCalled();
  });

  test('of what was captured before is a success unless it names an amount', async () => {
    for (const id of [await captured(), await insertPaidPayment()]) {
      const answer = await post(`/payments/${id}/capture`, {});
      expect([answer.status, answer.data.captured_amount]).toEqual([200, '25.99']);
      expect((await post(`/payments/${id}/capture`, body)).code).toBe('payment_not_capturable');
    }
    expect(workflows.capture).not.toHaveBeenCalled();
  });

  test.each(['not_found', 'movement_in_progress', 'amount_exceeds_capturable', 'payment_not_capturable'] as const)(
    'that its workflow refuses as %s is refused so',
    async (code) => {
      workflows.capture.mockResolvedValue(refused(code));
      const answer = await post(`/payments/${await authorized()}/capture`, body);
      expect([answer.status, answer.code]).toEqual([code === 'not_found' ? 404 : 409, code]);
    },
  );

  test('that cannot be sent is not accepted, and one without a row at the deadline is unknown', async () => {
    const id = await authorized();
    workflows.capture.mockResolvedValue({ kind: 'not_taken', cause: new Error('away') });
    const away = await post(`/payments/${id}/capture`, body);
    expect([away.status, away.code, away.problem.payment_id]).toEqual([503, 'not_accepted', id]);
    workflows.capture.mockResolvedValue({ kind: 'no_answer', cause: new Error('lost') });
    const idempotencyKey = randomUUID();
    const lost = await post(`/payments/${id}/capture`, body, { idempotencyKey });
    expect([lost.status, lost.code, lost.problem.payment_id]).toEqual([503, 'acceptance_unknown', id]);
    expect([lost.headers.get('retry-after'), lost.headers.get('idempotency-key')]).toEqual(['2', idempotencyKey]);
  });

  test.each([
    ['more decimals than its currency has', { amount: '1.001' }, 422, 'validation_failed'],
    ['nothing', { amount: '0' }, 422, 'validation_failed'],
    ['a number', { amount: 10 }, 422, 'validation_failed'],
    ['something unknown', { sum: '10.00' }, 422, 'validation_failed'],
    ['more than is left', { amount: '26.00' }, 409, 'amount_exceeds_capturable'],
  ])('of %s is refused before anything is sent', async (_, wrong, status, code) => {
    const answer = await post(`/payments/${await authorized()}/capture`, wrong);
    expect([answer.status, answer.code]).toEqual([status, code]);
    expect(workflows.capture).not.toHaveBeenCalled();
  });
});

/** A payment whose charge took the money. */
function insertPaidPayment() {
  const automatic = { capture_method: 'automatic' };
  return insertMovedPayment(database, { status: 'captured', authorized: 2599, captured: 2599 }, automatic);
}

describe('a cancellation', () => {
  /** The workflow ends the payment with these changes of its row. */
  const ends = (changes: string) =>
    workflows.cancel.mockImplementation(async ({ paymentId }) => {
      await move(paymentId, changes);
      return sent();
    });

  test('gives back what is reserved, and is the same again later', async () => {
    const id = await authorized();
    ends(`status = 'canceled', voided_amount = 2599`);
    const idempotencyKey = randomUUID();
    const answer = await post(`/payments/${id}/cancel`, { reason: 'changed my mind' }, { idempotencyKey });
    expect([answer.status, answer.data.status, answer.data.voided_amount]).toEqual([200, 'canceled', '25.99']);
    const again = await post(`/payments/${id}/cancel`, {}, { idempotencyKey });
    expect([again.status, isReplay(again)]).toEqual([200, true]);
    expect(workflows.cancel).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ paymentId: id }),
      idempotencyKey,
      { actor: expect.stringMatching(/^api_key:/), reason: 'changed my mind' },
      'outcome',
      expect.any(Number),
    );
  });

  test('of a payment that was captured in part gives back the rest', async () => {
    const id = await insertMovedPayment(database, { status: 'captured', authorized: 2599, captured: 1000 });
    ends('voided_amount = 1599');
    const answer = await post(`/payments/${id}/cancel`, {});
    expect([answer.status, answer.data.status, answer.data.voided_amount]).toEqual([200, 'captured', '15.99']);
  });

  test('of a payment that is, or meanwhile was, captured comes too late', async () => {
    expect((await post(`/payments/${await captured()}/cancel`, {})).code).toBe('too_late_to_cancel');
    expect(workflows.cancel).not.toHaveBeenCalled();
    ends(`status = 'captured', authorized_amount = 2599, captured_amount = 2599`);
    const id = await insertMovedPayment(database, { status: 'pending' });
    expect((await post(`/payments/${id}/cancel`, {})).code).toBe('too_late_to_cancel');
  });

  test('that has changed nothing, or of a payment that failed, is refused with the reason', async () => {
    const failed = await insertMovedPayment(database, { status: 'failed' });
    expect((await post(`/payments/${failed}/cancel`, {})).problem).toMatchObject({ code: 'payment_not_cancelable' });
    ends(`updated_at = now()`);
    expect((await post(`/payments/${await authorized()}/cancel`, {})).problem).toMatchObject({
      code: 'payment_not_cancelable',
      detail: 'Nothing was released: the payment is authorized.',
    });
    workflows.cancel.mockResolvedValue({ kind: 'refused', code: 'refused', detail: 'the text is too long' });
    expect((await post(`/payments/${await authorized()}/cancel`, {})).problem).toMatchObject({
      code: 'payment_not_cancelable',
      detail: 'The text is too long.',
    });
  });

  test('of an unresolved payment waits for a person', async () => {
    const id = await insertMovedPayment(database, { status: 'unresolved' });
    workflows.cancel.mockResolvedValueOnce({ kind: 'refused', code: 'movement_in_progress', detail: 'unknown' });
    expect((await post(`/payments/${id}/cancel`, {})).code).toBe('movement_in_progress');
    workflows.cancel.mockResolvedValueOnce(sent('stored')); // it joined a release that nobody knows the end of
    const joined = await post(`/payments/${id}/cancel`, {});
    expect([joined.status, joined.data.status]).toEqual([202, 'unresolved']);
  });

  test('that the workflow has taken on and not ended is 202; one that it may not know of is unknown', async () => {
    const id = await authorized();
    workflows.cancel.mockResolvedValue(sent('accepted'));
    const answer = await post(`/payments/${id}/cancel`, {});
    expect([answer.status, answer.data.status]).toEqual([202, 'authorized']);
    workflows.cancel.mockResolvedValue({ kind: 'no_answer', cause: new Error('lost') });
    expect((await post(`/payments/${id}/cancel`, {})).code).toBe('acceptance_unknown');
  });
});

describe('a refund', () => {
  const body = { amount: '10.00', reason: 'broken' };

  test('is made by a workflow of its own, and found again by its id and its payment', async () => {
    const id = await captured();
    const idempotencyKey = randomUUID();
    workflows.refund.mockImplementation(async ({ request }) => {
      const write = movementFor('refund', id, idempotencyKey, body);
      await write('succeeded', { correlation_id: request.correlationId, reason: request.reason });
      return sent();
    });
    const answer = await post<RefundObject>(`/payments/${id}/refund`, body, { idempotencyKey });
    const refundId = movementIdOf('refund', id, idempotencyKey);
    expect([answer.status, isReplay(answer), answer.headers.get('location')]).toEqual([
      201,
      false,
      `/api/v1/refunds/${refundId}`,
    ]);
    const refund = {
      id: refundId,
      payment_id: id,
      amount: '10.00',
      currency: 'USD',
      status: 'succeeded',
      reason: 'broken',
    };
    expect(answer.data).toMatchObject(refund);
    expect(workflows.refund.mock.calls[0]?.[0]).toMatchObject({
      refundId,
      paymentId: id,
      merchantId: 'mer_1',
      amountMinor: '1000',
      request: {
        idempotencyKey,
        requestHash: hashOfBody(body),
        amountMinor: '1000',
        captureId: null,
        reason: 'broken',
      },
    });
    const found = await callApi<{ data: RefundObject }>(api.url, key, { path: `/api/v1/refunds/${refundId}` });
    expect(found.body.data).toEqual(answer.data);
    await insertMovement(database, 'capture', id, { state: 'succeeded' });
    const refunds = await callApi<List<RefundObject>>(api.url, key, { path: `/api/v1/payments/${id}/refunds` });
    const captures = await callApi<List<RefundObject>>(api.url, key, { path: `/api/v1/payments/${id}/captures` });
    expect([refunds.body.data, captures.body.data.length]).toEqual([[answer.data], 1]);
  });

  test('without an amount is of all that is left, which its workflow knows', async () => {
    workflows.refund.mockResolvedValue(refused('amount_exceeds_refundable'));
    expect((await post(`/payments/${await captured()}/refund`, {})).code).toBe('amount_exceeds_refundable');
    expect(workflows.refund.mock.calls[0]?.[0].request.amountMinor).toBeNull();
  });

  test('that is over is answered from its row alone; its key with another body is refused', async () => {
    const id = await captured();
    const idempotencyKey = randomUUID();
    await movementFor('refund', id, idempotencyKey, body)('failed');
    const answer = await post<RefundObject>(`/payments/${id}/refund`, body, { idempotencyKey });
    expect([answer.status, isReplay(answer), answer.data.status]).toEqual([201, true, 'failed']);
    const other = await post(`/payments/${id}/refund`, { amount: '9.99' }, { idempotencyKey });
    expect([other.status, other.code]).toEqual([422, 'idempotency_key_reused']);
    expect(workflows.refund).not.toHaveBeenCalled();
  });

  test('whose workflow closed before it ended is given to a new run', async () => {
    const id = await captured();
    const idempotencyKey = randomUUID();
    await movementFor('refund', id, idempotencyKey, body)('pending');
    workflows.refund.mockResolvedValue(sent());
    workflows.resumeRefund.mockResolvedValue(null);
    const answer = await post<RefundObject>(`/payments/${id}/refund`, body, { idempotencyKey });
    expect([answer.status, answer.data.status]).toEqual([202, 'pending']);
    expect(workflows.resumeRefund).toHaveBeenCalled();
  });

  test('names a successful capture of the payment, or none', async () => {
    const id = await captured();
    const good = await insertMovement(database, 'capture', id, { state: 'succeeded' });
    const bad = await insertMovement(database, 'capture', id, { state: 'failed' });
    workflows.refund.mockResolvedValue(refused('refund_spans_captures'));
    expect((await post(`/payments/${id}/refund`, { capture_id: good })).code).toBe('refund_spans_captures');
    expect((await post(`/payments/${id}/refund`, { capture_id: bad })).problem.errors).toMatchObject([
      { pointer: '/capture_id' },
    ]);
    expect(workflows.refund).toHaveBeenCalledTimes(1);
  });
});

describe('an operator’s decision', () => {
  const body = { outcome: 'captured', evidence: 'statement of May 4, line 7', reason: 'the money is there' };

  test('on any merchant’s payment goes to its workflow with who decided, and answers the payment', async () => {
    const id = await insertMovedPayment(database, { status: 'unresolved' });
    workflows.resolve.mockImplementation(async () => {
      await move(id, `status = 'captured', authorized_amount = 2599, captured_amount = 2599`);
      return sent();
    });
    const answer = await post(`/payments/${id}/resolve`, body, { apiKey: operator, idempotencyKey: 'key-1' });
    expect([answer.status, answer.data.status]).toEqual([200, 'captured']);
    const actor = `operator_key:${operator.split('_')[2]}`;
    expect(workflows.resolve).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ paymentId: id, merchantId: 'mer_1', isTest: true }),
      'key-1',
      { ...body, actor },
      'outcome',
      expect.any(Number),
    );
    expect((await post(`/payments/${id}/resolve`, body, { apiKey: operator })).code).toBe('not_unresolved');
  });

  test('in a word that does not fit what is open is refused where the word is', async () => {
    const id = await insertMovedPayment(database, { status: 'unresolved' });
    workflows.resolve.mockResolvedValue({
      kind: 'refused',
      code: 'wrong_outcome',
      detail: 'outcome must be "captured"',
    });
    const answer = await post(`/payments/${id}/resolve`, body, { apiKey: operator });
    expect([answer.status, answer.problem.errors]).toEqual([
      422,
      [{ pointer: '/outcome', detail: 'outcome must be "captured"' }],
    ]);
  });

  test('that another one has overtaken is refused, whatever the other one said', async () => {
    const id = await insertMovedPayment(database, { status: 'unresolved' });
    workflows.resolve.mockImplementation(async () => {
      await move(id, `status = 'failed'`);
      return { kind: 'refused', code: 'not_unresolved', detail: 'there is nothing to resolve' };
    });
    expect((await post(`/payments/${id}/resolve`, body, { apiKey: operator })).code).toBe('not_unresolved');
  });

  test('on a refund goes to the refund’s workflow', async () => {
    const id = await captured();
    const refundId = await insertMovement(database, 'refund', id, { state: 'unresolved' });
    workflows.resolveRefund.mockImplementation(async () => {
      await database.admin.query(`UPDATE movements SET state = 'succeeded', version = 3 WHERE id = $1`, [refundId]);
      return sent();
    });
    const decision = { ...body, outcome: 'refunded' };
    const answer = await post<RefundObject>(`/refunds/${refundId}/resolve`, decision, { apiKey: operator });
    expect([answer.status, answer.data.status]).toEqual([200, 'succeeded']);
    expect(workflows.resolveRefund.mock.calls[0]?.[0]).toMatchObject({ refundId, paymentId: id, amountMinor: '1000' });
    expect((await post(`/refunds/${refundId}/resolve`, decision, { apiKey: operator })).code).toBe('not_unresolved');
  });

  test.each([
    ['evidence', { ...body, evidence: ' ' }],
    ['reason', { outcome: 'failed', evidence: 'none' }],
    ['outcome', { ...body, outcome: 'refunded' }],
  ])('needs a good %s', async (field, wrong) => {
    const id = await insertMovedPayment(database, { status: 'unresolved' });
    const answer = await post(`/payments/${id}/resolve`, wrong, { apiKey: operator });
    expect([answer.status, answer.problem.errors]).toMatchObject([422, [{ pointer: `/${field}` }]]);
  });
});

describe('nobody else', () => {
  test('sees or moves the money of another merchant, or of the other mode', async () => {
    const id = await captured();
    const refundId = await insertMovement(database, 'refund', id, { state: 'succeeded' });
    for (const stranger of [await api.keyFor('mer_2'), await api.keyFor('mer_1', { isTest: false })]) {
      const answers = await Promise.all([
        post(`/payments/${id}/capture`, {}, { apiKey: stranger }),
        post(`/payments/${id}/cancel`, {}, { apiKey: stranger }),
        post(`/payments/${id}/refund`, {}, { apiKey: stranger }),
        callApi(api.url, stranger, { path: `/api/v1/refunds/${refundId}` }),
        callApi(api.url, stranger, { path: `/api/v1/payments/${id}/refunds` }),
        callApi(api.url, stranger, { path: `/api/v1/payments/${id}/captures` }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404]);
    }
  });

  test('may do what its key does not allow', async () => {
    const id = await captured();
    const reader = await api.keyFor('mer_1', { permissions: ['payments:read', 'payments:write', 'refunds:read'] });
    expect((await post(`/payments/${id}/refund`, {}, { apiKey: reader })).status).toBe(403);
    const writer = await api.keyFor('mer_1', { permissions: ['refunds:write'] });
    expect((await post(`/payments/${id}/capture`, {}, { apiKey: writer })).status).toBe(403);
    expect((await callApi(api.url, writer, { path: `/api/v1/payments/${id}/refunds` })).status).toBe(403);
  });

  test('decides for operators: a merchant’s key is forbidden there, and an operator’s elsewhere', async () => {
    const id = await insertMovedPayment(database, { status: 'unresolved' });
    const decision = { outcome: 'failed', evidence: 'none', reason: 'none' };
    const decide = (apiKey: string) => post(`/payments/${id}/resolve`, decision, { apiKey });
    const text = operator.slice(0, -1);
    expect((await decide(key)).status).toBe(403);
    expect((await decide(`${text}${operator.endsWith('0') ? '1' : '0'}`)).status).toBe(401);
    expect((await post(`/payments/${id}/cancel`, {}, { apiKey: operator })).status).toBe(403);
    expect((await callApi(api.url, operator, { path: `/api/v1/payments/${id}` })).status).toBe(403);
    const keyId = operator.split('_')[2];
    for (const change of [`status = 'revoked'`, `status = 'active', expires_at = now() - interval '1 second'`]) {
      await database.admin.query(`UPDATE operator_keys SET ${change} WHERE key_id = $1`, [keyId]);
      await until(`refused for ${change}`, async () => (await decide(operator)).status === 401);
    }
    await database.admin.query(`UPDATE operator_keys SET expires_at = NULL WHERE key_id = $1`, [keyId]);
    workflows.resolve.mockResolvedValue(sent('accepted'));
    await until('accepted again', async () => (await decide(operator)).status === 202);
  });

  test('finds anything under an id that can be none', async () => {
    const answers = await Promise.all([
      post('/payments/pay_1/capture', {}),
      post('/payments/pay_1/refund', {}),
      post('/payments/pay_1/resolve', { outcome: 'failed', evidence: 'e', reason: 'r' }, { apiKey: operator }),
      post(
        `/payments/pay_${'0'.repeat(26)}/resolve`,
        { outcome: 'failed', evidence: 'e', reason: 'r' },
        { apiKey: operator },
      ),
      post(
        `/refunds/ref_${'0'.repeat(26)}/resolve`,
        { outcome: 'failed', evidence: 'e', reason: 'r' },
        { apiKey: operator },
      ),
      callApi(api.url, key, { path: '/api/v1/refunds/nonsense' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404]);
  });
});

test('a payment without movements lists none', async () => {
  const id = await insertMovedPayment(database, { status: 'pending' });
  for (const list of ['refunds', 'captures']) {
    const answer = await callApi<List<unknown>>(api.url, key, { path: `/api/v1/payments/${id}/${list}` });
    expect([answer.status, answer.body.data, answer.body.has_more]).toEqual([200, [], false]);
  }
});
