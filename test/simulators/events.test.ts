import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { authorized, charged, follow } from './easypay.ts';
import type { World } from './harness.ts';
import {
  charge,
  control,
  faultReport,
  injectAt,
  movements,
  send,
  startWorld,
  temporaryFolder,
  until,
  untilParked,
} from './harness.ts';

const secret = 'event-secret-for-tests';

const eventsSchema = z.strictObject({
  mode: z.string(),
  dropped: z.number(),
  events: z.array(
    z.strictObject({
      seq: z.number(),
      at: z.iso.datetime(),
      id: z.string(),
      type: z.string(),
      body: z.string(),
      headers: z.record(z.string(), z.string()),
      tries: z.number(),
      delivered: z.boolean(),
    }),
  ),
});

/** Simulators whose EasyPay tells the inbox of the same world, at `/easypay`. */
async function tellingWorld(dataDir?: string) {
  const receiver = await startWorld();
  const options = { easypayWebhookUrl: `${receiver.inbox}/easypay`, easypayWebhookSecret: secret };
  return { ...(await startWorld(dataDir, options)), receiver };
}

async function told(world: World, query = '') {
  return eventsSchema.parse((await control(world, 'GET', `/events/easypay${query}`)).body).events;
}

const receivedSchema = z.object({
  webhooks: z.array(z.object({ headers: z.record(z.string(), z.string()), body: z.string() })),
});

async function received(inbox: World) {
  return receivedSchema.parse((await control(inbox, 'GET', '/inbox?path=/easypay')).body).webhooks;
}

const setMode = (world: World, mode: string) => control(world, 'PUT', '/events/easypay', { mode });

const typesTold = async (world: World) => (await told(world)).map((event) => event.type);

async function approvedByPayer(world: World) {
  const { action_url: url } = await charged(world, { card_token: 'tok_visa_challenge_3220' });
  await send(String(url), { method: 'POST', body: new URLSearchParams({ outcome: 'approve' }) });
}

describe('an event', () => {
  test('of what came later than its answer is posted with a signature over its bytes', async () => {
    const world = await tellingWorld();
    await approvedByPayer(world);
    await until('it is there', async () => (await received(world.receiver)).length === 1);
    const [webhook] = await received(world.receiver);
    const { headers, body } = webhook ?? { headers: {}, body: '' };
    const { time = '', digest = '' } =
      /^t=(?<time>\d+),v1=(?<digest>[0-9a-f]{64})$/.exec(headers['easypay-signature'] ?? '')?.groups ?? {};
    expect(digest).toBe(createHmac('sha256', secret).update(`${time}.${body}`).digest('hex'));
    expect(Math.abs(Date.now() / 1_000 - Number(time))).toBeLessThan(60);
    expect(headers['content-type']).toBe('application/json');
    expect(JSON.parse(body)).toEqual({
      id: expect.stringMatching(/^epe_[0-9a-f]{24}$/),
      type: 'charge.approved',
      created_at: expect.stringMatching(/Z$/),
      data: {
        reference: 'pay_1',
        charge_reference: 'pay_1',
        status: 'approved',
        amount_minor: '2599',
        currency: 'USD',
      },
    });
    await until('it is delivered', async () => (await told(world))[0]?.delivered === true);
    expect(await told(world)).toMatchObject([
      { seq: 1, type: 'charge.approved', body, headers: { 'easypay-signature': headers['easypay-signature'] } },
    ]);
  });

  test('is sent of pending captures and refunds when they are approved, and of nothing that was answered', async () => {
    const world = await tellingWorld();
    await charged(world);
    const { id } = await authorized(world, { card_token: 'tok_visa_capture_pending_7200', reference: 'pay_2' });
    await follow(world, id, 'captures', { reference: 'cap_1', amount_minor: '100' });
    const paid = await charged(world, { card_token: 'tok_visa_refund_pending_7100', reference: 'pay_3' });
    await follow(world, paid.id, 'refunds', { reference: 'ref_1', amount_minor: '200' });
    expect(await told(world)).toEqual([]);
    await until('both are told', async () => (await told(world)).length === 2);
    const both = (await told(world)).toSorted((one, other) => one.type.localeCompare(other.type));
    expect(both.map((event) => JSON.parse(event.body))).toMatchObject([
      {
        type: 'capture.approved',
        data: { reference: 'cap_1', charge_reference: 'pay_2', status: 'approved', amount_minor: '100' },
      },
      {
        type: 'refund.approved',
        data: { reference: 'ref_1', charge_reference: 'pay_3', status: 'approved', amount_minor: '200' },
      },
    ]);
  });

  test('of a charge that was pending when the process ended is sent by the next one', async () => {
    const folder = await temporaryFolder();
    const world = await tellingWorld(folder);
    await charged(world, { card_token: 'tok_visa_pending_7000' });
    await world.stop();
    const again = await tellingWorld(folder);
    await until('it is told', async () => (await typesTold(again)).includes('charge.approved'));
  });
});

describe('the mode', () => {
  test('"all" tells every commit, "none" nothing', async () => {
    const world = await tellingWorld();
    expect((await setMode(world, 'all')).body).toEqual({ mode: 'all' });
    const { id } = await authorized(world);
    await charged(world, { card_token: 'tok_visa_declined_0002', reference: 'pay_2' });
    await follow(world, id, 'captures', { reference: 'cap_1', amount_minor: '1000' });
    await follow(world, id, 'refunds', { reference: 'ref_1', amount_minor: '1000' });
    await follow(world, id, 'voids', { reference: 'voi_1' });
    const all = ['charge.approved', 'charge.declined', 'capture.approved', 'refund.approved', 'void.approved'];
    expect(await typesTold(world)).toEqual(all);
    expect((await told(world, '?after=3')).map((event) => event.seq)).toEqual([4, 5]);
    await setMode(world, 'none');
    await approvedByPayer(world);
    expect(await typesTold(world)).toEqual(all);
    await until('all are delivered', async () => (await received(world.receiver)).length === all.length);
  });

  test('is refused when there is no such mode, or a face that sends no events', async () => {
    const world = await tellingWorld();
    const wrong = await setMode(world, 'some');
    expect(wrong).toMatchObject({ status: 400, body: { error: { field: 'mode' } } });
    for (const face of ['sms', 'nobody']) {
      expect((await control(world, 'GET', `/events/${face}`)).status).toBe(404);
    }
    expect((await control(world, 'GET', '/events/easypay?after=-1')).status).toBe(400);
  });

  test('tells a commit before its answer comes, when that is parked', async () => {
    const world = await tellingWorld();
    await setMode(world, 'all');
    await control(world, 'PUT', '/park/easypay', { operation: 'charge', point: 'after_commit' });
    const call = charge(world);
    await untilParked(world, 1);
    await until('it is told', async () => (await received(world.receiver)).length === 1);
    await control(world, 'DELETE', '/park/easypay');
    expect((await call).status).toBe(201);
  });
});

describe('a receiver', () => {
  test('that answers 500 and is then away gets the same bytes again, newly signed', async () => {
    const world = await tellingWorld();
    await injectAt(world.receiver, 'inbox', { fault: '500_after', times: 1 }, { fault: '500_before', times: 1 });
    await approvedByPayer(world);
    await until('it is delivered', async () => (await told(world))[0]?.delivered === true);
    expect((await told(world))[0]).toMatchObject({ tries: 3, delivered: true });
    const bodies = (await received(world.receiver)).map((webhook) => webhook.body);
    expect(bodies).toHaveLength(2);
    expect(new Set(bodies).size).toBe(1);
  });

  test('that never takes it is left alone after the third repetition, and no answer waited for it', async () => {
    const world = await tellingWorld();
    await injectAt(world.receiver, 'inbox', { fault: 'redirect' });
    await setMode(world, 'all');
    expect((await charge(world)).status).toBe(201);
    expect((await told(world))[0]?.tries).toBeLessThan(4);
    await until(
      'it was tried four times',
      async () => (await faultReport(world.receiver, 'inbox')).injected.redirect === 4,
    );
    expect((await told(world))[0]).toMatchObject({ tries: 4, delivered: false });
    expect(await movements(world)).toHaveLength(1);
  });

  test('that hangs does not keep the simulators from stopping, and nobody is warned of it', async () => {
    const world = await tellingWorld();
    await injectAt(world.receiver, 'inbox', { fault: 'never' });
    await setMode(world, 'all');
    await charge(world);
    await until('it hangs', async () => (await faultReport(world.receiver, 'inbox')).injected.never === 1);
    await world.stop();
    expect(world.warnings).toEqual([]);
  });
});

test('without a receiver there are no events', async () => {
  const world = await startWorld();
  await setMode(world, 'all');
  await charge(world);
  expect(await told(world)).toEqual([]);
});
