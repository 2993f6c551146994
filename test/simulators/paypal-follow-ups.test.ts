import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Reply } from './harness.ts';
import { accounts, control, movements, send, startWorld, temporaryFolder, until, untilParked } from './harness.ts';
import {
  authorize,
  authorized,
  capture,
  captureOf,
  card,
  logIn,
  ordered,
  paid,
  paymentsIn,
  refundOf,
  show,
  voidOf,
} from './paypal.ts';

const issue = (named: string, status = 422) => ({ status, body: { details: [{ issue: named }] } });
const idOf = ({ body }: Reply): string => Object(body).id;

async function startShop(folder?: string) {
  const world = await startWorld(folder);
  return { world, client: await logIn(world) };
}

const booked = async (world: Parameters<typeof movements>[0]) =>
  (await movements(world)).map(({ kind, reference, amount_minor }) => `${kind} ${reference} ${amount_minor}`);

describe('an authorization', () => {
  test('holds the amount and takes nothing', async () => {
    const { world, client } = await startShop();
    const orderId = await ordered(client, { intent: 'AUTHORIZE' });
    const reply = await authorize(client, orderId, { id: 'k' });
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({
      intent: 'AUTHORIZE',
      status: 'COMPLETED',
      payment_source: { card: { brand: 'VISA', last_digits: '4242' } },
    });
    expect(paymentsIn(reply)).toEqual({
      authorizations: [
        {
          id: expect.stringMatching(/^[0-9A-F]{17}$/),
          status: 'CREATED',
          amount: { currency_code: 'USD', value: '25.99' },
          custom_id: 'pay_1',
          processor_response: { response_code: '0000' },
          create_time: expect.any(String),
          update_time: expect.any(String),
        },
      ],
    });
    expect(await movements(world)).toMatchObject([{ kind: 'authorize', reference: 'pay_1', idempotency_key: 'k' }]);
    expect((await accounts(world)).map(({ id, balance_minor: balance }) => [id, balance])).toEqual([
      ['cardholders_USD', '-2599'],
      ['holds_USD', '2599'],
      ['merchants_USD', '0'],
    ]);
    expect((await show(client, orderId)).body).toEqual(reply.body);
  });

  test('comes again for its request id and is refused for another, also after a restart', async () => {
    const { world, client } = await startShop();
    const orderId = await ordered(client, { intent: 'AUTHORIZE' });
    const first = await authorize(client, orderId, { id: 'one' });
    await world.stop();
    const again = await startShop(world.folder);
    expect(await authorize(again.client, orderId, { id: 'one' })).toMatchObject({ status: 200, body: first.body });
    expect(await authorize(again.client, orderId, { id: 'two' })).toMatchObject(issue('ORDER_ALREADY_AUTHORIZED'));
    expect(await booked(again.world)).toEqual(['authorize pay_1 2599']);
  });

  test('is for orders of its intent alone, as a capture is', async () => {
    const { world, client } = await startShop();
    const other = issue('ACTION_DOES_NOT_MATCH_INTENT');
    expect(await authorize(client, await ordered(client))).toMatchObject(other);
    expect(await capture(client, await ordered(client, { intent: 'AUTHORIZE' }))).toMatchObject(other);
    expect(await movements(world)).toEqual([]);
  });

  test('that is declined holds nothing and can be neither captured nor voided', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client, { token: 'tok_visa_declined_0002' });
    expect(paymentsIn(await show(client, orderId)).authorizations).toMatchObject([
      { status: 'DENIED', processor_response: { response_code: '0500' } },
    ]);
    expect(await captureOf(client, id)).toMatchObject(issue('AUTHORIZATION_DENIED'));
    expect(await voidOf(client, id)).toMatchObject(issue('CANNOT_BE_VOIDED'));
    expect(await movements(world)).toEqual([]);
  });

  test('that is pending holds the amount once it is approved, also over a restart', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client, { token: 'tok_visa_pending_7000' });
    expect(await captureOf(client, id)).toMatchObject(issue('PENDING_AUTHORIZATION'));
    expect(await movements(world)).toEqual([]);
    await world.stop();
    const again = await startShop(world.folder);
    const statusOf = async () => paymentsIn(await show(again.client, orderId)).authorizations?.[0]?.status;
    await until('it is approved', async () => (await statusOf()) === 'CREATED');
    expect(await booked(again.world)).toEqual(['authorize pay_1 2599']);
  });
});

describe('a capture of an authorization', () => {
  test('takes its part under its own id, and the order shows it', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client);
    const reply = await captureOf(client, id, { id: 'k' });
    expect(reply).toMatchObject({
      status: 201,
      body: {
        status: 'COMPLETED',
        amount: { currency_code: 'USD', value: '10.00' },
        final_capture: false,
        invoice_id: 'cap_1',
        custom_id: 'pay_1',
        processor_response: { response_code: '0000' },
      },
    });
    const shown = paymentsIn(await show(client, orderId));
    expect(shown.authorizations).toMatchObject([{ status: 'PARTIALLY_CAPTURED', amount: { value: '25.99' } }]);
    expect(shown.captures).toEqual([reply.body]);
    expect((await movements(world)).at(-1)).toMatchObject({
      kind: 'capture',
      reference: 'cap_1',
      idempotency_key: 'k',
      amount_minor: '1000',
    });
  });

  test('can be followed by others, of all that is held and never more', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client);
    await captureOf(client, id);
    const tooMuch = await captureOf(client, id, { value: '16.00', movement: 'cap_2' });
    expect(tooMuch).toMatchObject(issue('MAX_CAPTURE_AMOUNT_EXCEEDED'));
    expect((await captureOf(client, id, { value: '15.99', movement: 'cap_2' })).status).toBe(201);
    expect(paymentsIn(await show(client, orderId)).authorizations).toMatchObject([{ status: 'CAPTURED' }]);
    const more = await captureOf(client, id, { value: '0.01', movement: 'cap_3' });
    expect(more).toMatchObject(issue('AUTHORIZATION_ALREADY_CAPTURED'));
    expect(await voidOf(client, id)).toMatchObject(issue('PREVIOUSLY_CAPTURED'));
    expect(await booked(world)).toEqual(['authorize pay_1 2599', 'capture cap_1 1000', 'capture cap_2 1599']);
  });

  test('that is the final one is the last', async () => {
    const { client } = await startShop();
    const { orderId, id } = await authorized(client);
    await captureOf(client, id, { body: { final_capture: true } });
    expect(paymentsIn(await show(client, orderId)).authorizations).toMatchObject([{ status: 'CAPTURED' }]);
    expect(await captureOf(client, id, { movement: 'cap_2' })).toMatchObject(issue('AUTHORIZATION_ALREADY_CAPTURED'));
  });

  test('comes again for its request id, and is refused for another body or its id under another, also after a restart', async () => {
    const { world, client } = await startShop();
    const { id } = await authorized(client);
    const first = await captureOf(client, id, { id: 'one' });
    await world.stop();
    const again = await startShop(world.folder);
    expect(await captureOf(again.client, id, { id: 'one' })).toMatchObject({ status: 200, body: first.body });
    const reused = issue('PAYPAL_REQUEST_ID_PREVIOUSLY_USED');
    expect(await captureOf(again.client, id, { id: 'one', value: '11.00' })).toMatchObject(reused);
    expect(await captureOf(again.client, id, { id: 'two' })).toMatchObject(issue('DUPLICATE_INVOICE_ID'));
    expect(await booked(again.world)).toEqual(['authorize pay_1 2599', 'capture cap_1 1000']);
  });

  test.for([
    [{ currency: 'EUR' }, 422, 'AUTH_CAPTURE_CURRENCY_MISMATCH'],
    [{ value: '0.00' }, 422, 'CANNOT_BE_ZERO_OR_NEGATIVE'],
    [{ value: '1.001' }, 422, 'DECIMAL_PRECISION'],
    [{ movement: '' }, 400, 'INVALID_REQUEST'],
    [{ body: { surprise: true } }, 400, 'INVALID_REQUEST'],
  ] as const)('with %o is refused with %i %s', async ([changes, status, named]) => {
    const { world, client } = await startShop();
    const { id } = await authorized(client);
    expect(await captureOf(client, id, changes)).toMatchObject(issue(named, status));
    expect(await booked(world)).toEqual(['authorize pay_1 2599']);
  });

  test('on the card that declines it moves nothing and leaves the authorization as it is', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client, { token: 'tok_visa_capture_declined_0057' });
    const reply = await captureOf(client, id, { value: '25.99', body: { final_capture: true } });
    expect(reply).toMatchObject({ status: 201, body: { status: 'DECLINED' } });
    expect(paymentsIn(await show(client, orderId)).authorizations).toMatchObject([{ status: 'CREATED' }]);
    expect(await booked(world)).toEqual(['authorize pay_1 2599']);
  });

  test('on the card that lets it wait counts as taken at once, and moves the money later, also over a restart', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client, { token: 'tok_visa_capture_pending_7200' });
    expect((await captureOf(client, id)).body).toMatchObject({ status: 'PENDING' });
    const more = await captureOf(client, id, { value: '16.00', movement: 'cap_2' });
    expect(more).toMatchObject(issue('MAX_CAPTURE_AMOUNT_EXCEEDED'));
    expect(await booked(world)).toEqual(['authorize pay_1 2599']);
    await world.stop();
    const again = await startShop(world.folder);
    const statusOf = async () => paymentsIn(await show(again.client, orderId)).captures?.[0]?.status;
    await until('it is completed', async () => (await statusOf()) === 'COMPLETED');
    expect(await booked(again.world)).toEqual(['authorize pay_1 2599', 'capture cap_1 1000']);
  });

  test('asked for by 20 calls at one moment takes no more than what is held', async () => {
    const { world, client } = await startShop();
    const { id } = await authorized(client);
    const calls = Array.from({ length: 20 }, (_, index) =>
      captureOf(client, id, { value: '5.00', movement: `cap_${index}` }),
    );
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(5);
    expect(statuses.filter((status) => status === 422)).toHaveLength(15);
    expect((await movements(world)).filter(({ kind }) => kind === 'capture')).toHaveLength(5);
  });

  test('and its movement are one record: neither can be lost alone', async () => {
    const { world, client } = await startShop();
    const { id } = await authorized(client);
    await captureOf(client, id, { id: 'one' });
    const lines = (await readFile(join(world.folder, 'bank.jsonl'), 'utf8')).trim().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      movement: { kind: 'capture', reference: 'cap_1', idempotency_key: 'one' },
      memo: { provider: 'paypal', value: { kind: 'capture', request_id: 'one', status: 'COMPLETED' } },
    });
  });
});

describe('a void', () => {
  test('gives back all that is held, under the payment’s id, for it names none of its own', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client);
    await captureOf(client, id);
    expect(await voidOf(client, id, { id: 'k' })).toMatchObject({ status: 200, body: { id, status: 'VOIDED' } });
    expect((await movements(world)).at(-1)).toMatchObject({
      kind: 'void',
      reference: 'pay_1',
      idempotency_key: 'k',
      amount_minor: '1599',
    });
    expect(paymentsIn(await show(client, orderId)).authorizations).toMatchObject([{ status: 'VOIDED' }]);
    expect((await accounts(world)).find((account) => account.id === 'holds_USD')?.balance_minor).toBe('0');
    expect(await captureOf(client, id, { movement: 'cap_2' })).toMatchObject(issue('AUTHORIZATION_VOIDED'));
  });

  test('is answered without a body to who does not ask for one', async () => {
    const { client } = await startShop();
    const { id } = await authorized(client);
    const reply = await send(`${client.url}/v2/payments/authorizations/${id}/void`, {
      method: 'POST',
      headers: { authorization: `Bearer ${client.token}`, 'paypal-request-id': 'k' },
    });
    expect(reply).toMatchObject({ status: 204, body: '' });
  });

  test('comes again for its request id and is refused for another, also after a restart', async () => {
    const { world, client } = await startShop();
    const { id } = await authorized(client);
    const first = await voidOf(client, id, { id: 'one' });
    await world.stop();
    const again = await startShop(world.folder);
    expect(await voidOf(again.client, id, { id: 'one' })).toMatchObject({ status: 200, body: first.body });
    expect(await voidOf(again.client, id, { id: 'two' })).toMatchObject(issue('PREVIOUSLY_VOIDED'));
    expect(await booked(again.world)).toEqual(['authorize pay_1 2599', 'void pay_1 2599']);
  });

  test.for([
    ['TWD', '100', '10000'],
    ['JPY', '500', '500'],
  ] as const)('of %s %s gives back %s minor units', async ([currency, value, minor]) => {
    const { world, client } = await startShop();
    const { id } = await authorized(client, { currency, value });
    await voidOf(client, id);
    expect((await movements(world)).at(-1)).toMatchObject({ kind: 'void', amount_minor: minor, currency });
  });

  test('that waited while a capture came first gives back the rest', async () => {
    const { world, client } = await startShop();
    const { id } = await authorized(client);
    await control(world, 'PUT', '/park/paypal', { operation: 'void', point: 'before_commit', reference: 'pay_1' });
    const call = voidOf(client, id);
    await untilParked(world, 1, 'paypal');
    await captureOf(client, id);
    await control(world, 'DELETE', '/park/paypal');
    expect((await call).status).toBe(200);
    expect(await booked(world)).toEqual(['authorize pay_1 2599', 'capture cap_1 1000', 'void pay_1 1599']);
  });

  test('that waited while a capture took all is refused when its turn comes', async () => {
    const { world, client } = await startShop();
    const { id } = await authorized(client);
    await control(world, 'PUT', '/park/paypal', { operation: 'void', point: 'before_commit' });
    const call = voidOf(client, id);
    await untilParked(world, 1, 'paypal');
    await captureOf(client, id, { value: '25.99' });
    await control(world, 'DELETE', '/park/paypal');
    expect(await call).toMatchObject(issue('PREVIOUSLY_CAPTURED'));
    expect(await booked(world)).toEqual(['authorize pay_1 2599', 'capture cap_1 2599']);
  });
});

describe('a refund', () => {
  test('pays back its part under its own id, and the order shows it', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await paid(client);
    const reply = await refundOf(client, id, { id: 'k' });
    expect(reply).toMatchObject({
      status: 201,
      body: {
        status: 'COMPLETED',
        amount: { currency_code: 'USD', value: '10.00' },
        invoice_id: 'ref_1',
        custom_id: 'ref_1',
      },
    });
    const shown = paymentsIn(await show(client, orderId));
    expect(shown.captures).toMatchObject([{ status: 'PARTIALLY_REFUNDED', amount: { value: '25.99' } }]);
    expect(shown.refunds).toEqual([reply.body]);
    expect((await movements(world)).at(-1)).toMatchObject({
      kind: 'refund',
      reference: 'ref_1',
      idempotency_key: 'k',
      amount_minor: '1000',
    });
  });

  test('is of one capture, never of more than that', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await authorized(client);
    const first = idOf(await captureOf(client, id));
    const second = idOf(await captureOf(client, id, { value: '15.99', movement: 'cap_2' }));
    expect(await refundOf(client, first, { value: '10.01' })).toMatchObject(issue('REFUND_AMOUNT_EXCEEDED'));
    expect((await refundOf(client, first)).status).toBe(201);
    expect(await refundOf(client, first, { value: '0.01' })).toMatchObject(issue('CAPTURE_FULLY_REFUNDED'));
    expect((await refundOf(client, second, { value: '5.99', movement: 'ref_2' })).status).toBe(201);
    const shown = paymentsIn(await show(client, orderId));
    expect(shown.captures).toMatchObject([{ status: 'REFUNDED' }, { status: 'PARTIALLY_REFUNDED' }]);
    expect((await booked(world)).slice(3)).toEqual(['refund ref_1 1000', 'refund ref_2 599']);
  });

  test('comes again for its request id and is refused for another body, also after a restart', async () => {
    const { world, client } = await startShop();
    const { id } = await paid(client);
    const first = await refundOf(client, id, { id: 'one' });
    await world.stop();
    const again = await startShop(world.folder);
    expect(await refundOf(again.client, id, { id: 'one' })).toMatchObject({ status: 200, body: first.body });
    const reused = issue('PAYPAL_REQUEST_ID_PREVIOUSLY_USED');
    expect(await refundOf(again.client, id, { id: 'one', movement: 'ref_2' })).toMatchObject(reused);
    expect(await booked(again.world)).toEqual(['charge pay_1 2599', 'refund ref_1 1000']);
  });

  test('asked for by 50 calls at one moment pays back no more than what was captured', async () => {
    const { world, client } = await startShop();
    const { id } = await paid(client);
    const calls = Array.from({ length: 50 }, (_, index) =>
      refundOf(client, id, { value: '1.00', movement: `ref_${index}` }),
    );
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(25);
    expect(statuses.filter((status) => status === 422)).toHaveLength(25);
    expect((await movements(world)).filter(({ kind }) => kind === 'refund')).toHaveLength(25);
    expect((await accounts(world)).find((account) => account.id === 'merchants_USD')?.balance_minor).toBe('99');
  });

  test('of what waits or was declined is refused, and so is one in another currency', async () => {
    const { client } = await startShop();
    const pending = await paid(client, { token: 'tok_visa_pending_7000' });
    expect(await refundOf(client, pending.id)).toMatchObject(issue('PENDING_CAPTURE'));
    const declined = await paid(client, { token: 'tok_visa_declined_0002', reference: 'pay_2' });
    expect(await refundOf(client, declined.id)).toMatchObject(issue('INVALID_RESOURCE_ID', 404));
    const good = await paid(client, { reference: 'pay_3' });
    const other = await refundOf(client, good.id, { currency: 'EUR' });
    expect(other).toMatchObject(issue('REFUND_CAPTURE_CURRENCY_MISMATCH'));
  });

  test('on the card that declines it fails, and moves nothing', async () => {
    const { world, client } = await startShop();
    const { id } = await paid(client, { token: 'tok_visa_refund_declined_0058' });
    expect(await refundOf(client, id)).toMatchObject({ status: 201, body: { status: 'FAILED' } });
    expect(await booked(world)).toEqual(['charge pay_1 2599']);
  });

  test('on the card that lets it wait counts as paid at once, and moves the money later, also over a restart', async () => {
    const { world, client } = await startShop();
    const { orderId, id } = await paid(client, { token: 'tok_visa_refund_pending_7100' });
    expect((await refundOf(client, id)).body).toMatchObject({
      status: 'PENDING',
      status_details: { reason: 'ECHECK' },
    });
    const more = await refundOf(client, id, { value: '16.00', movement: 'ref_2' });
    expect(more).toMatchObject(issue('REFUND_AMOUNT_EXCEEDED'));
    await world.stop();
    const again = await startShop(world.folder);
    const statusOf = async () => paymentsIn(await show(again.client, orderId)).refunds?.[0]?.status;
    await until('it is completed', async () => (await statusOf()) === 'COMPLETED');
    expect(await booked(again.world)).toEqual(['charge pay_1 2599', 'refund ref_1 1000']);
  });
});

test('what nobody made is not found, nor one kind of thing under the id of another', async () => {
  const { client } = await startShop();
  const { orderId, id } = await authorized(client);
  const captured = idOf(await captureOf(client, id));
  const replies = [
    captureOf(client, 'NONE'),
    captureOf(client, orderId),
    captureOf(client, captured, { movement: 'cap_2' }),
    voidOf(client, captured),
    refundOf(client, id),
    refundOf(client, 'NONE'),
  ];
  for (const reply of await Promise.all(replies)) expect(reply).toMatchObject(issue('INVALID_RESOURCE_ID', 404));
});

test('without a request id or with a stranger’s token nothing is done', async () => {
  const { world, client } = await startShop();
  const { id } = await authorized(client);
  const charged = await paid(client, { reference: 'pay_2' });
  const stranger = { ...client, token: 'A21AAunknown' };
  const calls = [
    (one: typeof client, options: object) => captureOf(one, id, options),
    (one: typeof client, options: object) => voidOf(one, id, options),
    (one: typeof client, options: object) => refundOf(one, charged.id, options),
  ];
  for (const call of calls) {
    expect((await call(stranger, {})).status).toBe(401);
    expect(await call(client, { id: '' })).toMatchObject({
      status: 400,
      body: { details: [{ field: '/paypal-request-id' }] },
    });
  }
  expect(await movements(world)).toHaveLength(2);
});

test('a book of before there were authorizations is read as it was', async () => {
  const folder = await temporaryFolder();
  const at = '2026-01-02T03:04:05.000Z';
  const amount = { currency_code: 'USD', value: '25.99' };
  const order = {
    id: 'ORDER1',
    request_id: 'create',
    request: { intent: 'CAPTURE', purchase_units: [{ reference_id: 'pay_1', custom_id: 'pay_1', amount }] },
    created_at: at,
  };
  const captured = {
    id: 'CAPTURE1',
    request_id: 'capture',
    payment_source: card('tok_visa_4242').payment_source,
    status: 'COMPLETED',
    response_code: '0000',
    created_at: at,
    updated_at: at,
  };
  const movement = { seq: 1, at, kind: 'charge', provider: 'paypal', reference: 'pay_1', idempotency_key: 'capture' };
  const lines = [
    { memo: { provider: 'paypal', value: order } },
    {
      movement: { ...movement, amount_minor: '2599', currency: 'USD', state: 'committed' },
      memo: { provider: 'paypal', value: { ...order, capture: captured } },
    },
  ];
  await writeFile(join(folder, 'bank.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const { world, client } = await startShop(folder);
  expect(paymentsIn(await show(client, 'ORDER1')).captures).toMatchObject([{ id: 'CAPTURE1', status: 'COMPLETED' }]);
  expect((await refundOf(client, 'CAPTURE1')).status).toBe(201);
  expect(await booked(world)).toEqual(['charge pay_1 2599', 'refund ref_1 1000']);
});
