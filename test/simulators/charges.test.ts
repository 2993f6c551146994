import { describe, expect, test } from 'vitest';
import { testTokens } from '../../simulators/face/test-tokens.ts';
import { accounts, charge, lookUp, movements, outcomeOf, send, startWorld, until } from './harness.ts';

describe('a charge', () => {
  test('that is approved moves the money once and says so', async () => {
    const world = await startWorld();
    const reply = await charge(world, {}, { key: 'key-1', headers: { 'x-correlation-id': 'corr-1' } });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('x-correlation-id')).toBe('corr-1');
    expect(reply.body).toEqual({
      id: expect.stringMatching(/^epc_[0-9a-f]{24}$/),
      reference: 'pay_1',
      idempotency_key: 'key-1',
      status: 'approved',
      amount_minor: '2599',
      currency: 'USD',
      captured: true,
      action_url: null,
      response_code: '00',
      response_message: 'Approved',
      card: { brand: 'visa', last_four: '4242' },
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
    expect(await movements(world)).toEqual([
      {
        seq: 1,
        at: expect.any(String),
        kind: 'charge',
        provider: 'easypay',
        reference: 'pay_1',
        idempotency_key: 'key-1',
        amount_minor: '2599',
        currency: 'USD',
        state: 'committed',
      },
    ]);
  });

  test.for([
    ['tok_mastercard_5454', 'approved', '00'],
    ['tok_amex_0005', 'approved', '00'],
    ['tok_visa_declined_0002', 'declined', '05'],
    ['tok_visa_insufficient_9995', 'declined', '51'],
    ['tok_visa_expired_0069', 'declined', '54'],
    ['tok_visa_cvc_0127', 'declined', '82'],
    ['tok_visa_lost_9987', 'declined', '41'],
    ['tok_visa_limit_0061', 'declined', '61'],
    ['tok_visa_issuer_away_0091', 'declined', '91'],
    ['tok_visa_error_0096', 'declined', '96'],
  ] as const)('on %s is %s with code %s, and only an approval moves money', async ([token, status, code]) => {
    const world = await startWorld();
    const reply = await charge(world, { card_token: token });
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({ status, response_code: code, card: { last_four: token.slice(-4) } });
    expect(await movements(world)).toHaveLength(status === 'approved' ? 1 : 0);
    expect((await lookUp(world, 'pay_1')).body).toEqual({ charges: [reply.body] });
  });

  test('on the slow card is approved after three seconds, its key in progress meanwhile', async () => {
    const world = await startWorld();
    const begin = performance.now();
    const first = charge(world, { card_token: 'tok_visa_slow_3000' }, { key: 'slow' });
    let meanwhile = 0;
    await until('the repetition is refused', async () => {
      const repetition = charge(world, { card_token: 'tok_visa_slow_3000' }, { key: 'slow' });
      meanwhile = (await repetition).status;
      return meanwhile === 409;
    });
    expect((await first).body).toMatchObject({ status: 'approved' });
    expect(performance.now() - begin).toBeGreaterThan(2_900);
    expect(await movements(world)).toHaveLength(1);
  });

  test('on the pending card becomes approved with its movement, also over a restart', async () => {
    const world = await startWorld();
    const reply = await charge(world, { card_token: 'tok_visa_pending_7000' }, { key: 'pending' });
    expect(reply.body).toMatchObject({ status: 'pending', response_code: '09' });
    expect((await lookUp(world, 'pay_1')).body).toMatchObject({ charges: [{ status: 'pending' }] });
    expect(await movements(world)).toEqual([]);
    await world.stop();
    const again = await startWorld(world.folder);
    expect((await lookUp(again, 'pay_1')).body).toMatchObject({ charges: [{ status: 'pending' }] });
    await until('the movement is there', async () => (await movements(again)).length === 1);
    expect(reply.body).toMatchObject({ id: expect.any(String) });
    expect((await charge(again, { card_token: 'tok_visa_pending_7000' }, { key: 'pending' })).body).toEqual({
      ...Object(reply.body),
      status: 'approved',
      response_code: '00',
      response_message: 'Approved',
    });
    expect((await lookUp(again, 'pay_1')).body).toMatchObject({ charges: [{ status: 'approved' }] });
    await again.stop();
    expect(await movements(await startWorld(world.folder))).toHaveLength(1);
  });

  test('on the never card is not answered, not committed and reserves nothing', async () => {
    const world = await startWorld();
    const gone = new AbortController();
    const call = outcomeOf(charge(world, { card_token: 'tok_visa_never_0000' }, { key: 'never', signal: gone.signal }));
    // A later call that is answered shows that the first had its turn.
    await charge(world, { reference: 'pay_2' });
    gone.abort();
    expect(await call).toBe('aborted');
    expect((await charge(world, {}, { key: 'never' })).status).toBe(201);
    expect(await movements(world)).toHaveLength(2);
  });

  test('may be made on every card of the table, and on no wallet', async () => {
    for (const [token, { brand, lastFour }] of testTokens) {
      expect(token).toMatch(new RegExp(`^tok_${brand}_(.*_)?${lastFour ?? '[0-9]'}$`));
    }
    const world = await startWorld();
    for (const token of ['tok_paypal_wallet_1', 'tok_paypal_declined_2']) {
      const reply = await charge(world, { card_token: token });
      expect(reply.status).toBe(422);
      expect(reply.body).toMatchObject({ error: { code: 'unknown_card_token' } });
    }
  });
});

describe('an idempotency key', () => {
  test('with the same body gives the same object again, also after a restart', async () => {
    const world = await startWorld();
    const first = await charge(world, {}, { key: 'same' });
    const declined = await charge(world, { card_token: 'tok_visa_declined_0002' }, { key: 'declined' });
    const second = await charge(world, {}, { key: 'same' });
    expect(second.status).toBe(200);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(second.body).toEqual(first.body);
    await world.stop();
    const again = await startWorld(world.folder);
    expect((await charge(again, {}, { key: 'same' })).body).toEqual(first.body);
    const declinedAgain = await charge(again, { card_token: 'tok_visa_declined_0002' }, { key: 'declined' });
    expect(declinedAgain.body).toEqual(declined.body);
    expect(await movements(again)).toHaveLength(1);
  });

  test.for([
    { amount_minor: '2600' },
    { currency: 'EUR' },
    { reference: 'pay_2' },
    { card_token: 'tok_amex_0005' },
    { description: 'another' },
  ])('with another body (%o) is refused and moves nothing', async (fields) => {
    const world = await startWorld();
    await charge(world, {}, { key: 'same' });
    const other = await charge(world, fields, { key: 'same' });
    expect(other.status).toBe(409);
    expect(other.body).toMatchObject({ error: { code: 'idempotency_key_reused' } });
    expect(await movements(world)).toHaveLength(1);
  });

  test('used by 100 calls at one moment moves the money once', async () => {
    const world = await startWorld();
    const replies = await Promise.all(Array.from({ length: 100 }, () => charge(world, {}, { key: 'race' })));
    const statuses = replies.map((reply) => reply.status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.every((status) => [200, 201, 409].includes(status))).toBe(true);
    for (const reply of replies.filter((one) => one.status === 409)) {
      expect(reply.body).toMatchObject({ error: { code: 'request_in_progress' } });
    }
    expect(await movements(world)).toHaveLength(1);
  });

  test('of its own for each of two calls gives two movements: the book hides no double charge', async () => {
    const world = await startWorld();
    await charge(world, {}, { key: 'one' });
    await charge(world, {}, { key: 'two' });
    expect(await movements(world, '?reference=pay_1')).toHaveLength(2);
    expect((await lookUp(world, 'pay_1')).body).toMatchObject({
      charges: [{ idempotency_key: 'one' }, { idempotency_key: 'two' }],
    });
  });
});

describe('a request that is wrong', () => {
  test.for([
    [{ amount_minor: 2599 }, 'amount_minor'],
    [{ amount_minor: '0' }, 'amount_minor'],
    [{ amount_minor: '-1' }, 'amount_minor'],
    [{ amount_minor: '25.99' }, 'amount_minor'],
    [{ currency: 'usd' }, 'currency'],
    [{ reference: '' }, 'reference'],
    [{ card_token: undefined }, 'card_token'],
    [{ description: 7 }, 'description'],
    [{ surprise: true }, 'surprise'],
  ] as const)('%o is refused by the name of its field', async ([fields, field]) => {
    const world = await startWorld();
    const reply = await charge(world, fields);
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({ error: { code: 'invalid_request', field } });
    expect(await movements(world)).toEqual([]);
  });

  test('is told apart by status: key, token, route, size, JSON, authorization', async () => {
    const world = await startWorld();
    const failures = [
      [charge(world, {}, { headers: { 'idempotency-key': '' } }), 400, 'invalid_request'],
      [charge(world, {}, { key: 'k'.repeat(256) }), 400, 'invalid_request'],
      [charge(world, { card_token: 'tok_unknown' }), 422, 'unknown_card_token'],
      [charge(world, { description: 'x'.repeat(20_000) }), 413, 'payload_too_large'],
      [charge(world, {}, { headers: { 'content-type': 'text/plain' } }), 400, 'invalid_request'],
      [charge(world, {}, { headers: { authorization: 'Bearer wrong' } }), 401, 'unauthorized'],
      [send(`${world.easypay}/v1/charges?reference=pay_1`), 401, 'unauthorized'],
      [lookUp(world, ''), 400, 'invalid_request'],
    ] as const;
    for (const [call, status, code] of failures) {
      const reply = await call;
      expect(reply.status).toBe(status);
      expect(reply.body).toMatchObject({ error: { code } });
    }
    const headers = { authorization: 'Bearer face-key-for-tests', 'content-type': 'application/json' };
    expect((await send(`${world.easypay}/v1/refunds`, { headers })).status).toBe(404);
    const cut = await send(`${world.easypay}/v1/charges`, { method: 'POST', headers, body: '{"reference":' });
    expect(cut.status).toBe(400);
    expect(await movements(world)).toEqual([]);
    expect((await lookUp(world, 'pay_1')).body).toEqual({ charges: [] });
  });
});

test('the accounts of every currency sum to zero and hold what was charged', async () => {
  const world = await startWorld();
  const amounts = Array.from({ length: 60 }, (_, index) => ({
    amount_minor: String(1 + index * 37),
    currency: ['USD', 'JPY', 'KWD'][index % 3],
  }));
  await Promise.all(amounts.map((fields) => charge(world, fields)));
  await charge(world, { amount_minor: '999999999999999999' });
  const expected = amounts.reduce((sum, { amount_minor }) => sum + BigInt(amount_minor), 999_999_999_999_999_999n);
  const all = await accounts(world);
  expect(all.map((account) => account.id)).toEqual([
    'cardholders_JPY',
    'merchants_JPY',
    'cardholders_KWD',
    'merchants_KWD',
    'cardholders_USD',
    'merchants_USD',
  ]);
  expect(all.reduce((sum, account) => sum + BigInt(account.balance_minor), 0n)).toBe(0n);
  const merchants = all.filter((account) => account.id.startsWith('merchants_'));
  expect(merchants.reduce((sum, account) => sum + BigInt(account.balance_minor), 0n)).toBe(expected);
});
