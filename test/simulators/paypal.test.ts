import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { testTokens } from '../../simulators/face/test-tokens.ts';
import { control, movements, outcomeOf, send, startWorld, until, untilParked } from './harness.ts';
import { askToken, capture, captureIn, card, create, logIn, ordered, orderOf, paid, show, wallet } from './paypal.ts';

const issue = (status: number, name: string, named: string) => ({
  status,
  body: { name, message: expect.any(String), debug_id: expect.any(String), details: [{ issue: named }] },
});

describe('an access token', () => {
  test('is given for the client’s own credentials and grant only', async () => {
    const world = await startWorld();
    const good = await askToken(world);
    expect(good.status).toBe(200);
    expect(good.body).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 32_400 });
    const stranger = await askToken(world, { client: { id: 'client-for-tests', secret: 'wrong' } });
    expect(stranger).toMatchObject({
      status: 401,
      body: { error: 'invalid_client', error_description: expect.any(String) },
    });
    const otherGrant = await askToken(world, { body: 'grant_type=password' });
    expect(otherGrant).toMatchObject({ status: 400, body: { error: 'unsupported_grant_type' } });
  });

  test('is asked of every call and dies with the process', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    const refused = { status: 401, body: { name: 'AUTHENTICATION_FAILURE' } };
    const stranger = { ...client, token: 'A21AAunknown' };
    expect(await create(stranger)).toMatchObject(refused);
    expect(await capture(stranger, id)).toMatchObject(refused);
    expect(await show(stranger, id)).toMatchObject(refused);
    expect(await send(`${client.url}/v2/checkout/orders/${id}`)).toMatchObject(refused);
    await world.stop();
    const again = await startWorld(world.folder);
    expect(await show({ ...client, url: again.paypal }, id)).toMatchObject(refused);
    expect(await show(await logIn(again), id)).toMatchObject({ status: 200, body: { id } });
  });
});

describe('an order', () => {
  test('is made without anybody who pays for it, and moves no money', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const reply = await create(client);
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      id: expect.stringMatching(/^[0-9A-F]{17}$/),
      intent: 'CAPTURE',
      status: 'CREATED',
      purchase_units: [{ reference_id: 'pay_1', custom_id: 'pay_1', amount: { currency_code: 'USD', value: '25.99' } }],
      create_time: expect.stringMatching(/Z$/),
      update_time: expect.stringMatching(/Z$/),
    });
    expect(await show(client, Object(reply.body).id)).toMatchObject({ status: 200, body: Object(reply.body) });
    expect(await movements(world)).toEqual([]);
  });

  test('comes again for its request id and body, is refused for another body, also after a restart', async () => {
    const world = await startWorld();
    const first = await create(await logIn(world), orderOf(), { id: 'prepare' });
    await world.stop();
    const client = await logIn(await startWorld(world.folder));
    const second = await create(client, orderOf(), { id: 'prepare' });
    expect(second).toMatchObject({ status: 200, body: Object(first.body) });
    for (const changes of [{ value: '26.00' }, { reference: 'pay_2' }]) {
      const other = await create(client, orderOf(changes), { id: 'prepare' });
      expect(other).toMatchObject(issue(422, 'UNPROCESSABLE_ENTITY', 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED'));
    }
  });

  test('asked for by 30 calls with one request id at one moment is one order', async () => {
    const client = await logIn(await startWorld());
    const replies = await Promise.all(Array.from({ length: 30 }, () => create(client, orderOf(), { id: 'race' })));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    const ids = replies.filter(({ status }) => status !== 409).map(({ body }) => Object(body).id);
    expect(new Set(ids).size).toBe(1);
    for (const reply of replies.filter(({ status }) => status === 409)) {
      expect(reply).toMatchObject(issue(409, 'RESOURCE_CONFLICT', 'PREVIOUS_REQUEST_IN_PROGRESS'));
    }
  });

  test.for([
    ['USD', '25.99', '2599'],
    ['USD', '25', '2500'],
    ['JPY', '500', '500'],
    ['HUF', '1200', '120000'],
    ['TWD', '100', '10000'],
  ] as const)('of %s %s is booked as %s minor units', async ([currency, value, minor]) => {
    const world = await startWorld();
    const client = await logIn(world);
    const reply = await capture(client, await ordered(client, { currency, value }));
    const shown = value === '25' ? '25.00' : value;
    expect(captureIn(reply)).toMatchObject({ amount: { currency_code: currency, value: shown } });
    expect(await movements(world)).toMatchObject([{ amount_minor: minor, currency }]);
  });

  test.for([
    [{ currency: 'KWD' }, 'CURRENCY_NOT_SUPPORTED', '/purchase_units/0/amount/currency_code'],
    [{ currency: 'TWD', value: '1.00' }, 'DECIMALS_NOT_SUPPORTED', '/purchase_units/0/amount/value'],
    [{ value: '25.999' }, 'DECIMAL_PRECISION', '/purchase_units/0/amount/value'],
    [{ value: '0.00' }, 'CANNOT_BE_ZERO_OR_NEGATIVE', '/purchase_units/0/amount/value'],
  ] as const)('with %o is refused as %s', async ([changes, named, field]) => {
    const reply = await create(await logIn(await startWorld()), orderOf(changes));
    expect(reply).toMatchObject(issue(422, 'UNPROCESSABLE_ENTITY', named));
    expect(reply.body).toMatchObject({ details: [{ field }] });
  });

  test.for([
    ['a card', card('tok_visa_4242')],
    ['a wallet', wallet('tok_paypal_wallet_1')],
    ['nothing', { payment_source: {} }],
  ] as const)('with %s that pays for it is refused, for PayPal would capture it at once', async ([, source]) => {
    const world = await startWorld();
    const client = await logIn(world);
    const reply = await create(client, { ...orderOf(), ...source }, { id: 'k' });
    expect(reply).toMatchObject(issue(422, 'UNPROCESSABLE_ENTITY', 'SINGLE_STEP_ORDER_NOT_SUPPORTED'));
    expect(reply.body).toMatchObject({ details: [{ field: '/payment_source' }] });
    expect(await movements(world)).toEqual([]);
    // It kept nothing: its request id is as good as new.
    expect((await create(client, orderOf(), { id: 'k' })).status).toBe(201);
  });

  test('that is malformed is refused by the name of its field', async () => {
    const client = await logIn(await startWorld());
    const wrong = [
      [{ ...orderOf(), intent: 'SAVE' }, '/intent'],
      [{ ...orderOf(), purchase_units: [] }, '/purchase_units'],
      [orderOf({ value: '-1' }), '/purchase_units/0/amount/value'],
      [{ ...orderOf(), surprise: true }, '/surprise'],
      [{ ...orderOf(), processing_instruction: 'ORDER_COMPLETE_ON_PAYMENT_APPROVAL' }, '/processing_instruction'],
    ] as const;
    for (const [body, field] of wrong) {
      const reply = await create(client, body);
      expect(reply).toMatchObject(issue(400, 'INVALID_REQUEST', 'INVALID_REQUEST'));
      expect(reply.body).toMatchObject({ details: [{ field }] });
    }
    expect(await create(client, orderOf(), { id: '' })).toMatchObject({
      status: 400,
      body: { details: [{ field: '/paypal-request-id' }] },
    });
  });

  test('that nobody made is not found', async () => {
    const client = await logIn(await startWorld());
    for (const reply of [await show(client, 'NONE'), await capture(client, 'NONE')]) {
      expect(reply).toMatchObject(issue(404, 'RESOURCE_NOT_FOUND', 'INVALID_RESOURCE_ID'));
    }
  });
});

describe('a capture', () => {
  test('that completes moves the money once, under the payment’s id and its own request id', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const reply = await capture(client, await ordered(client), { id: 'capture-1' });
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({
      status: 'COMPLETED',
      payment_source: { card: { brand: 'VISA', last_digits: '4242' } },
    });
    expect(captureIn(reply)).toEqual({
      id: expect.stringMatching(/^[0-9A-F]{17}$/),
      status: 'COMPLETED',
      amount: { currency_code: 'USD', value: '25.99' },
      final_capture: true,
      custom_id: 'pay_1',
      processor_response: { response_code: '0000' },
      create_time: expect.any(String),
      update_time: expect.any(String),
    });
    expect(await movements(world)).toEqual([
      {
        seq: 1,
        at: expect.any(String),
        kind: 'charge',
        provider: 'paypal',
        reference: 'pay_1',
        idempotency_key: 'capture-1',
        amount_minor: '2599',
        currency: 'USD',
        state: 'committed',
      },
    ]);
  });

  test.for([
    ['tok_mastercard_5454', 'COMPLETED', '0000'],
    ['tok_amex_0005', 'COMPLETED', '0000'],
    ['tok_visa_issuer_away_0091', 'COMPLETED', '0000'],
    ['tok_visa_declined_0002', 'DECLINED', '0500'],
    ['tok_visa_insufficient_9995', 'DECLINED', '5120'],
    ['tok_visa_expired_0069', 'DECLINED', '5400'],
    ['tok_visa_cvc_0127', 'DECLINED', '5110'],
    ['tok_visa_lost_9987', 'DECLINED', '9520'],
    ['tok_visa_limit_0061', 'DECLINED', '5710'],
    ['tok_visa_error_0096', 'DECLINED', '0960'],
    ['tok_paypal_wallet_1', 'COMPLETED', '0000'],
    ['tok_paypal_declined_2', 'DECLINED', '0500'],
  ] as const)('on %s is %s with code %s, and only a completed one moves money', async ([token, status, code]) => {
    const world = await startWorld();
    const client = await logIn(world);
    const known = testTokens.get(token);
    const isWallet = known?.brand === 'paypal';
    const id = await ordered(client);
    const reply = await capture(client, id, { body: isWallet ? wallet(token) : card(token) });
    expect(reply.status).toBe(201);
    const shown = { brand: known?.brand.toUpperCase(), last_digits: known?.lastFour };
    expect(Object(reply.body).payment_source).toEqual(
      isWallet ? { paypal: { account_status: 'VERIFIED' } } : { card: shown },
    );
    expect(captureIn(reply)).toMatchObject({ status, processor_response: { response_code: code } });
    expect(await movements(world)).toHaveLength(status === 'COMPLETED' ? 1 : 0);
    expect((await show(client, id)).body).toEqual(reply.body);
  });

  test.for([
    ['tok_visa_later_9996', 1],
    ['tok_visa_later_9997', 2],
  ] as const)('on %s completes after %i declined ones of its payment', async ([token, declines]) => {
    const client = await logIn(await startWorld());
    const statuses: unknown[] = [];
    for (let time = 0; time <= declines; time += 1) {
      // Another payment in between does not count.
      await paid(client, { token, reference: `pay_other_${time}` });
      const reply = await capture(client, await ordered(client), { body: card(token) });
      statuses.push(captureIn(reply).status);
    }
    expect(statuses).toEqual([...Array.from({ length: declines }, () => 'DECLINED'), 'COMPLETED']);
  });

  test.for([
    [card('tok_unknown'), 'TOKEN_ID_NOT_FOUND', '/payment_source/card/vault_id'],
    [card('tok_paypal_wallet_1'), 'TOKEN_ID_NOT_FOUND', '/payment_source/card/vault_id'],
    [wallet('tok_visa_4242'), 'TOKEN_ID_NOT_FOUND', '/payment_source/paypal/vault_id'],
    [{}, 'ORDER_NOT_APPROVED', '/payment_source'],
    [card('tok_visa_challenge_3220'), 'PAYER_ACTION_REQUIRED', '/payment_source'],
  ] as const)(
    'with %o is refused as %s, keeps nothing, and the order can still be paid',
    async ([body, named, field]) => {
      const world = await startWorld();
      const client = await logIn(world);
      const id = await ordered(client);
      const reply = await capture(client, id, { id: 'k', body });
      expect(reply).toMatchObject(issue(422, 'UNPROCESSABLE_ENTITY', named));
      expect(reply.body).toMatchObject({ details: [{ field }] });
      expect((await show(client, id)).body).toMatchObject({ status: 'CREATED' });
      expect(await movements(world)).toEqual([]);
      expect((await capture(client, id, { id: 'k' })).status).toBe(201);
    },
  );

  test('that is malformed is refused by the name of its field', async () => {
    const client = await logIn(await startWorld());
    const id = await ordered(client);
    const wrong = [
      [{ payment_source: {} }, '/payment_source'],
      [card(''), '/payment_source/card/vault_id'],
      [{ ...card('tok_visa_4242'), surprise: true }, '/surprise'],
    ] as const;
    for (const [body, field] of wrong) {
      const reply = await capture(client, id, { body });
      expect(reply).toMatchObject(issue(400, 'INVALID_REQUEST', 'INVALID_REQUEST'));
      expect(reply.body).toMatchObject({ details: [{ field }] });
    }
  });

  test('is refused for another payment source under its request id, also one that the vault does not hold', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    const first = await capture(client, id, { id: 'one' });
    const others = [card('tok_amex_0005'), card('tok_unknown'), wallet('tok_paypal_wallet_1'), {}];
    for (const body of others) {
      const reused = issue(422, 'UNPROCESSABLE_ENTITY', 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED');
      expect(await capture(client, id, { id: 'one', body })).toMatchObject(reused);
      const already = issue(422, 'UNPROCESSABLE_ENTITY', 'ORDER_ALREADY_CAPTURED');
      expect(await capture(client, id, { id: 'two', body })).toMatchObject(already);
    }
    expect((await show(client, id)).body).toEqual(first.body);
    expect(await movements(world)).toHaveLength(1);
  });

  test('comes again for its request id and is refused for another, also after a restart', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    const first = await capture(client, id, { id: 'one' });
    await world.stop();
    const again = await startWorld(world.folder);
    const later = await logIn(again);
    expect(await capture(later, id, { id: 'one' })).toMatchObject({ status: 200, body: Object(first.body) });
    const already = issue(422, 'UNPROCESSABLE_ENTITY', 'ORDER_ALREADY_CAPTURED');
    expect(await capture(later, id, { id: 'two' })).toMatchObject(already);
    const reused = issue(422, 'UNPROCESSABLE_ENTITY', 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED');
    expect(await capture(later, await ordered(later), { id: 'one' })).toMatchObject(reused);
    expect((await show(later, id)).body).toEqual(first.body);
    expect(await movements(again)).toHaveLength(1);
  });

  test('asked for by 30 calls at one moment, with one request id or many, moves the money once', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    const requestIds = Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? 'same' : `own-${index}`));
    const replies = await Promise.all(requestIds.map((requestId) => capture(client, id, { id: requestId })));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const { status } of replies) expect([200, 201, 409, 422]).toContain(status);
    expect(await movements(world)).toHaveLength(1);
  });

  test('in progress holds its order: the same request id and any other are in conflict', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    await control(world, 'PUT', '/park/paypal', { operation: 'charge', point: 'before_commit', reference: 'pay_1' });
    const call = capture(client, id, { id: 'one' });
    await untilParked(world, 1, 'paypal');
    const conflict = issue(409, 'RESOURCE_CONFLICT', 'PREVIOUS_REQUEST_IN_PROGRESS');
    expect(await capture(client, id, { id: 'one' })).toMatchObject(conflict);
    expect(await capture(client, id, { id: 'two' })).toMatchObject(conflict);
    expect(await capture(client, id, { id: 'two', body: card('tok_amex_0005') })).toMatchObject(conflict);
    expect(await show(client, id)).toMatchObject({ body: { status: 'CREATED' } });
    await control(world, 'DELETE', '/park/paypal');
    expect((await call).status).toBe(201);
    expect(await movements(world)).toHaveLength(1);
  });

  test('and its order are one record with the movement: neither can be lost alone', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    await capture(client, id, { id: 'one' });
    const lines = (await readFile(join(world.folder, 'bank.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { memo: { provider: 'paypal', value: { id } } },
      {
        movement: { seq: 1, idempotency_key: 'one' },
        memo: { provider: 'paypal', value: { id, capture: { request_id: 'one', status: 'COMPLETED' } } },
      },
    ]);
  });

  test('on the pending card completes with its movement, also over a restart; on the slow one it takes its time', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    const onPending = { id: 'pending', body: card('tok_visa_pending_7000') };
    const pending = await capture(client, id, onPending);
    expect(pending.status).toBe(201);
    expect(captureIn(pending)).toMatchObject({ status: 'PENDING', status_details: { reason: 'PENDING_REVIEW' } });
    expect(await movements(world)).toEqual([]);
    await world.stop();
    const again = await startWorld(world.folder);
    const later = await logIn(again);
    expect(captureIn(await show(later, id)).status).toBe('PENDING');
    const begin = performance.now();
    const slow = capture(later, await ordered(later, { reference: 'pay_2' }), { body: card('tok_visa_slow_3000') });
    await until('it is completed', async () => captureIn(await show(later, id)).status === 'COMPLETED');
    expect(await movements(again)).toMatchObject([{ reference: 'pay_1', idempotency_key: 'pending' }]);
    const repeated = await capture(later, id, onPending);
    expect(captureIn(repeated)).toMatchObject({ id: captureIn(pending).id, status: 'COMPLETED' });
    expect(captureIn(await slow).status).toBe('COMPLETED');
    expect(performance.now() - begin).toBeGreaterThan(2_900);
    expect(await movements(again)).toHaveLength(2);
  });

  test('on the never card is not answered, commits nothing and reserves nothing', async () => {
    const world = await startWorld();
    const client = await logIn(world);
    const id = await ordered(client);
    const gone = new AbortController();
    const body = card('tok_visa_never_0000');
    const call = outcomeOf(capture(client, id, { id: 'never', body, signal: gone.signal }));
    // A later call that is answered shows that the first had its turn.
    expect(await show(client, id)).toMatchObject({ body: { status: 'CREATED' } });
    const other = await capture(client, await ordered(client, { reference: 'pay_2' }), { id: 'never' });
    expect(other.status).toBe(201);
    gone.abort();
    expect(await call).toBe('aborted');
    expect(await movements(world)).toMatchObject([{ reference: 'pay_2' }]);
  });
});

describe('in time', () => {
  afterEach(() => void vi.useRealTimers());

  test('request ids are forgotten after six hours, captures are not; access tokens expire after nine', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const world = await startWorld();
    const client = await logIn(world);
    const first = await create(client, orderOf(), { id: 'prepare' });
    const { id } = Object(first.body);
    await capture(client, id, { id: 'capture' });
    vi.setSystemTime(Date.now() + 6 * 3_600_000 - 1_000);
    expect((await create(client, orderOf(), { id: 'prepare' })).status).toBe(200);
    expect((await capture(client, id, { id: 'capture' })).status).toBe(200);
    vi.setSystemTime(Date.now() + 1_000);
    const second = await create(client, orderOf(), { id: 'prepare' });
    expect(second.status).toBe(201);
    expect(Object(second.body).id).not.toBe(id);
    const already = issue(422, 'UNPROCESSABLE_ENTITY', 'ORDER_ALREADY_CAPTURED');
    expect(await capture(client, id, { id: 'capture' })).toMatchObject(already);
    vi.setSystemTime(Date.now() + 3 * 3_600_000);
    expect((await show(client, id)).status).toBe(401);
    expect(await movements(world)).toHaveLength(1);
  });
});
