import { describe, expect, test } from 'vitest';
import type { Reply, WholeWorld } from './harness.ts';
import {
  charge,
  control,
  faultReport,
  injectAt,
  isUnanswered,
  movements,
  outcomeOf,
  parking,
  startWorld,
  until,
  untilParked,
} from './harness.ts';
import type { Client } from './paypal.ts';
import {
  askToken,
  authorized,
  capture,
  captureIn,
  captureOf,
  create,
  logIn,
  ordered,
  orderOf,
  paid,
  refundOf,
  show,
  verify,
  voidOf,
} from './paypal.ts';

const inject = (world: WholeWorld, ...rules: readonly object[]) => injectAt(world, 'paypal', ...rules);
const report = (world: WholeWorld) => faultReport(world, 'paypal');

async function startShop() {
  const world = await startWorld();
  const client = await logIn(world);
  return { world, client, id: await ordered(client) };
}

describe('a fault on a capture', () => {
  test.for([
    ['429', 429, 0],
    ['503', 503, 0],
    ['500_before', 500, 0],
    ['reset', 'ECONNRESET', 0],
    ['500_after', 500, 1],
    ['lost_after', 'UND_ERR_SOCKET', 1],
    ['cut_json', 201, 1],
    ['wrong_amount', 201, 1],
    ['slow', 201, 1],
  ] as const)('%s ends as %s (movements: %i), once, and is counted', async ([fault, outcome, committed]) => {
    const { world, client, id } = await startShop();
    await inject(world, { operation: 'charge', times: 1, fault, delay_ms: 50 });
    expect(await outcomeOf(capture(client, id, { id: 'k' }))).toBe(outcome);
    expect(await movements(world)).toHaveLength(committed);
    expect((await show(client, id)).body).toMatchObject({ status: committed === 1 ? 'COMPLETED' : 'CREATED' });
    const repetition = await capture(client, id, { id: 'k' });
    expect(repetition.status).toBe(committed === 1 ? 200 : 201);
    expect(captureIn(repetition)).toMatchObject({ status: 'COMPLETED', amount: { value: '25.99' } });
    expect(await movements(world)).toHaveLength(1);
    expect(await report(world)).toMatchObject({
      injected: { [fault]: 1 },
      served: { token: 0, create: 0, charge: 1, capture: 0, void: 0, refund: 0, lookup: 1, verify: 0 },
    });
  });

  test('wrong_amount names one cent more in the capture, and cut_json half of it', async () => {
    const { world, client, id } = await startShop();
    await inject(world, { fault: 'wrong_amount', times: 1 }, { operation: 'charge', fault: 'cut_json', times: 1 });
    // A rule for all operations passes over the creation, which names no amount of its own.
    const second = await ordered(client, { reference: 'pay_2' });
    expect(captureIn(await capture(client, id))).toMatchObject({ amount: { currency_code: 'USD', value: '26.00' } });
    const cut = await capture(client, second);
    expect(Number(cut.headers.get('content-length'))).toBe(String(cut.body).length);
    expect((await movements(world)).map((movement) => movement.amount_minor)).toEqual(['2599', '2599']);
  });

  test('late_commit holds the request id, commits later, and answers nothing though the client still waits', async () => {
    const { world, client, id } = await startShop();
    await inject(world, { operation: 'charge', times: 1, fault: 'late_commit', delay_ms: 300 });
    const gone = new AbortController();
    const call = outcomeOf(capture(client, id, { id: 'k', signal: gone.signal }));
    await until('it is in progress', async () => (await capture(client, id, { id: 'k' })).status === 409);
    expect(await movements(world)).toEqual([]);
    await until('the bank committed', async () => (await movements(world)).length === 1);
    await until('the request id is free', async () => (await capture(client, id, { id: 'k' })).status === 200);
    expect((await report(world)).injected).toEqual({ late_commit: 1 });
    expect(await isUnanswered(call)).toBe(true);
    gone.abort();
    expect(await call).toBe('aborted');
  });

  test('speaks PayPal’s words, and names the time to wait', async () => {
    const { world, client, id } = await startShop();
    await inject(
      world,
      { operation: 'charge', fault: '429', times: 1, delay_ms: 1_500 },
      { operation: 'charge', fault: '503', times: 1 },
      { operation: 'charge', fault: '500_before', times: 1 },
    );
    const limited = await capture(client, id);
    expect(limited.headers.get('retry-after')).toBe('2');
    expect(limited.body).toMatchObject({ name: 'RATE_LIMIT_REACHED', debug_id: expect.any(String) });
    expect((await capture(client, id)).body).toMatchObject({ name: 'SERVICE_UNAVAILABLE' });
    expect((await capture(client, id)).body).toMatchObject({ name: 'INTERNAL_SERVER_ERROR' });
  });
});

describe('a fault on what follows a charge', () => {
  const followUps = {
    capture: async (client: Client) => {
      const { id } = await authorized(client);
      return () => captureOf(client, id, { id: 'k' });
    },
    void: async (client: Client) => {
      const { id } = await authorized(client);
      return () => voidOf(client, id, { id: 'k' });
    },
    refund: async (client: Client) => {
      const { id } = await paid(client);
      return () => refundOf(client, id, { id: 'k' });
    },
  };
  const kinds = ['capture', 'void', 'refund'] as const;

  test.for(
    kinds.flatMap((kind) => [
      [kind, '429', 429, 0] as const,
      [kind, '503', 503, 0] as const,
      [kind, '500_before', 500, 0] as const,
      [kind, 'reset', 'ECONNRESET', 0] as const,
      [kind, '500_after', 500, 1] as const,
      [kind, 'lost_after', 'UND_ERR_SOCKET', 1] as const,
      [kind, 'cut_json', kind === 'void' ? 200 : 201, 1] as const,
    ]),
  )('%s: %s ends as %s (movements: %i), once; its request id again moves it once', async (fault) => {
    const [operation, name, outcome, committed] = fault;
    const world = await startWorld();
    const call = await followUps[operation](await logIn(world));
    await inject(world, { operation, times: 1, fault: name });
    expect(await outcomeOf(call())).toBe(outcome);
    const moved = async () => (await movements(world)).filter(({ kind }) => kind === operation);
    expect(await moved()).toHaveLength(committed);
    expect([200, 201]).toContain((await call()).status);
    expect(await moved()).toHaveLength(1);
    expect(await report(world)).toMatchObject({ injected: { [name]: 1 }, served: { [operation]: 1 } });
  });

  test.for(['capture', 'refund'] as const)('%s: wrong_amount names one cent more', async (operation) => {
    const world = await startWorld();
    const call = await followUps[operation](await logIn(world));
    await inject(world, { operation, times: 1, fault: 'wrong_amount' });
    expect((await call()).body).toMatchObject({ amount: { currency_code: 'USD', value: '10.01' } });
    expect((await movements(world)).at(-1)).toMatchObject({ kind: operation, amount_minor: '1000' });
  });

  test('void: wrong_amount is refused, for a void names no amount of its own', async () => {
    const world = await startWorld();
    const rules = [{ operation: 'void', fault: 'wrong_amount' }];
    expect(await control(world, 'PUT', '/faults/paypal', { seed: 1, rules })).toMatchObject({
      status: 422,
      body: { error: { code: 'fault_not_possible' } },
    });
  });

  test.for(kinds)('%s: late_commit holds the request id and moves the money later', async (operation) => {
    const world = await startWorld();
    const client = await logIn(world);
    const call = await followUps[operation](client);
    await inject(world, { operation, times: 1, fault: 'late_commit', delay_ms: 300 });
    void call().catch(() => undefined);
    await until('it is in progress', async () => (await call()).status === 409);
    await until('the bank committed', async () => (await movements(world)).some(({ kind }) => kind === operation));
    await until('the request id is free', async () => [200, 201].includes((await call()).status));
    expect((await movements(world)).filter(({ kind }) => kind === operation)).toHaveLength(1);
  });
});

describe('a fault on a creation', () => {
  test.for([
    ['500_before', 500, 201],
    ['reset', 'ECONNRESET', 201],
    ['500_after', 500, 200],
    ['lost_after', 'UND_ERR_SOCKET', 200],
    ['cut_json', 201, 200],
  ] as const)('%s ends as %s, and the request id again as %i', async ([fault, outcome, again]) => {
    const { world, client } = await startShop();
    await inject(world, { operation: 'create', times: 1, fault });
    expect(await outcomeOf(create(client, orderOf(), { id: 'k' }))).toBe(outcome);
    expect((await create(client, orderOf(), { id: 'k' })).status).toBe(again);
    expect((await report(world)).injected).toEqual({ [fault]: 1 });
    expect(await movements(world)).toEqual([]);
  });

  test('late_commit makes the order later', async () => {
    const { world, client } = await startShop();
    await inject(world, { operation: 'create', times: 1, fault: 'late_commit', delay_ms: 100 });
    const gone = new AbortController();
    const call = outcomeOf(create(client, orderOf(), { id: 'k', signal: gone.signal }));
    await until('it is in progress', async () => (await create(client, orderOf(), { id: 'k' })).status === 409);
    gone.abort();
    expect(await call).toBe('aborted');
    await until('the order is made', async () => (await create(client, orderOf(), { id: 'k' })).status === 200);
  });
});

describe('a fault on a call that only reads', () => {
  const calls: Record<string, (world: WholeWorld, client: Client, id: string, signal?: AbortSignal) => Promise<Reply>> =
    {
      token: (world, _client, _id, signal) => askToken(world, signal && { signal }),
      lookup: (_world, client, id, signal) => show(client, id, signal),
    };

  test.for([
    ['token', '429', 429],
    ['token', '503', 503],
    ['token', 'reset', 'ECONNRESET'],
    ['token', 'cut_json', 200],
    ['lookup', '500_before', 500],
    ['lookup', 'reset', 'ECONNRESET'],
    ['lookup', 'slow', 200],
  ] as const)('%s %s ends as %s, once', async ([operation, fault, outcome]) => {
    const { world, client, id } = await startShop();
    await inject(world, { operation, times: 1, fault, delay_ms: 20 });
    const call = () => calls[operation]?.(world, client, id) ?? Promise.reject(new Error('no such call'));
    expect(await outcomeOf(call())).toBe(outcome);
    expect((await call()).status).toBe(200);
    expect(await report(world)).toMatchObject({ injected: { [fault]: 1 }, served: { [operation]: 1 } });
  });

  test.for(['token', 'lookup'])('never leaves the caller of %s waiting', async (operation) => {
    const { world, client, id } = await startShop();
    await inject(world, { operation, fault: 'never' });
    const gone = new AbortController();
    const call = calls[operation]?.(world, client, id, gone.signal) ?? Promise.reject(new Error('no such call'));
    const outcome = outcomeOf(call);
    await until('the fault struck', async () => (await report(world)).injected.never === 1);
    expect(await isUnanswered(outcome)).toBe(true);
    gone.abort();
    expect(await outcome).toBe('aborted');
  });

  test('strikes a look-up of an order that nobody made, too', async () => {
    const { world, client } = await startShop();
    await inject(world, { operation: 'lookup', times: 1, fault: '503' });
    expect((await show(client, 'NONE')).status).toBe(503);
    expect((await show(client, 'NONE')).status).toBe(404);
  });
});

test('refuse closes PayPal’s port alone, and healing opens it again', async () => {
  const { world, client, id } = await startShop();
  await inject(world, { fault: 'refuse' });
  expect(await outcomeOf(show(client, id))).toBe('ECONNREFUSED');
  expect((await charge(world)).status).toBe(201);
  await control(world, 'DELETE', '/faults/paypal');
  expect((await show(client, id)).status).toBe(200);
  expect((await report(world)).injected).toEqual({ refuse: 1 });
});

test('every operation can be parked at both points, each for itself', async () => {
  const world = await startWorld(undefined, { paypalWebhookUrl: 'http://127.0.0.1:1/', paypalWebhookId: 'WH1' });
  const client = await logIn(world);
  const id = await ordered(client);
  const held = await authorized(client, { reference: 'pay_3' });
  const taken = await paid(client, { reference: 'pay_4' });
  const calls = [
    ['token', 'before_commit', () => askToken(world), null],
    ['create', 'after_commit', () => create(client, orderOf({ reference: 'pay_2' })), 'pay_2'],
    ['charge', 'after_commit', () => capture(client, id), 'pay_1'],
    ['lookup', 'before_commit', () => show(client, id), 'pay_1'],
    ['capture', 'before_commit', () => captureOf(client, held.id), 'cap_1'],
    ['void', 'before_commit', () => voidOf(client, held.id), 'pay_3'],
    ['refund', 'before_commit', () => refundOf(client, taken.id), 'ref_1'],
    ['verify', 'before_commit', () => verify(client, '{"resource":{"invoice_id":"ref_9"}}'), 'ref_9'],
  ] as const;
  for (const [operation, point, call, reference] of calls) {
    await control(world, 'PUT', '/park/paypal', { operation, point });
    const outcome = outcomeOf(call());
    await untilParked(world, 1, 'paypal');
    expect((await parking(world, 'paypal')).parked).toMatchObject([{ operation, point, reference }]);
    // A charge is held after its commit here, so that the look-up sees it; the rest before theirs.
    const moved = (await movements(world)).filter(
      (movement) => movement.kind === operation && movement.reference === reference,
    );
    expect(moved).toHaveLength(operation === 'charge' ? 1 : 0);
    await control(world, 'DELETE', '/park/paypal');
    expect([200, 201]).toContain(await outcome);
  }
});
