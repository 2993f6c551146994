import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { authorized, follow, statusOf } from './easypay.ts';
import {
  apiKey,
  charge,
  control,
  lookUp,
  movements,
  outcomeOf,
  parking,
  paypalClient,
  temporaryFolder,
  until,
  untilParked,
} from './harness.ts';
import { capture, captureIn, logIn, ordered, show } from './paypal.ts';

const readySchema = z.strictObject({
  ready: z.literal(true),
  control: z.url(),
  easypay: z.url(),
  paypal: z.url(),
  smtp: z.url({ protocol: /^smtp$/ }),
  sms: z.url(),
  inbox: z.url(),
});

/** Settings with which the simulators start on free ports. */
const standard = {
  SIMULATORS_PORT: '0',
  EASYPAY_FACE_PORT: '0',
  PAYPAL_FACE_PORT: '0',
  SMTP_FACE_PORT: '0',
  SMS_FACE_PORT: '0',
  INBOX_FACE_PORT: '0',
  EASYPAY_API_KEY: apiKey,
  PAYPAL_CLIENT_ID: paypalClient.id,
  PAYPAL_CLIENT_SECRET: paypalClient.secret,
};

function spawnSimulators(environment: Readonly<Record<string, string>>, shellPrefix = '') {
  const command = `${shellPrefix} exec "$NODE" simulators/main.ts`;
  const env = { PATH: process.env.PATH, NODE: process.execPath, ...environment };
  const child = spawn('sh', ['-c', command], { env });
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text));
  const ended = once(child, 'exit').then(() => ({ code: child.exitCode, signal: child.signalCode }));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, output, ended };
}

async function startProcess(folder: string, shellPrefix = '') {
  const spawned = spawnSimulators({ ...standard, SIMULATORS_DATA_DIR: folder }, shellPrefix);
  await until('the simulators are ready', () => spawned.output.out.includes('\n'));
  return { ...spawned, ...readySchema.parse(JSON.parse(spawned.output.out)) };
}

test('kill -9 under load loses no movement that was answered and invents none that was not asked for', async () => {
  const folder = await temporaryFolder();
  const asked = new Set<string>();
  const answered = new Set<string>();
  let world = await startProcess(folder);
  for (let round = 1; round <= 3; round += 1) {
    const target = answered.size + 150;
    const killed = new AbortController();
    const caller = async (name: number) => {
      for (let index = 0; !killed.signal.aborted; index += 1) {
        const key = `${round}_${name}_${index}`;
        asked.add(key);
        if ((await outcomeOf(charge(world, { reference: key }, { key }))) === 201) answered.add(key);
      }
    };
    const callers = Promise.all(Array.from({ length: 16 }, (_, name) => caller(name)));
    await until('enough calls were answered', () => answered.size >= target);
    world.child.kill('SIGKILL');
    expect(await world.ended).toMatchObject({ signal: 'SIGKILL' });
    killed.abort();
    await callers;
    world = await startProcess(folder);
    const booked = (await movements(world)).map((movement) => movement.idempotency_key);
    expect(new Set(booked).size).toBe(booked.length);
    expect([...answered].filter((key) => !booked.includes(key))).toEqual([]);
    expect(booked.filter((key) => !asked.has(key))).toEqual([]);
  }
  expect(asked.size).toBeGreaterThan(answered.size);
  // Every call may be sent again with its key: what was booked is answered, the rest is charged once.
  for (const key of asked) {
    expect([200, 201]).toContain((await charge(world, { reference: key }, { key })).status);
  }
  expect(await movements(world)).toHaveLength(asked.size);
});

test('kill -9 forgets parks and faults, keeps a commit that was never answered, and drops what was not committed', async () => {
  const folder = await temporaryFolder();
  const world = await startProcess(folder);
  await control(world, 'PUT', '/park/easypay', { operation: 'charge', point: 'after_commit', reference: 'pay_after' });
  await control(world, 'PUT', '/park/easypay', {
    operation: 'charge',
    point: 'before_commit',
    reference: 'pay_before',
  });
  const calls = ['pay_after', 'pay_before'].map((reference) =>
    outcomeOf(charge(world, { reference }, { key: reference })),
  );
  await until('both are parked', async () => (await parking(world)).parked.length === 2);
  world.child.kill('SIGKILL');
  await Promise.all(calls);
  const again = await startProcess(folder);
  expect((await control(again, 'GET', '/park/easypay')).body).toEqual({ parks: [], parked: [] });
  expect((await lookUp(again, 'pay_after')).body).toMatchObject({ charges: [{ status: 'approved' }] });
  expect((await charge(again, { reference: 'pay_after' }, { key: 'pay_after' })).status).toBe(200);
  expect((await charge(again, { reference: 'pay_before' }, { key: 'pay_before' })).status).toBe(201);
});

test('kill -9 keeps a capture and a void that were never answered, and drops what was not committed', async () => {
  const folder = await temporaryFolder();
  const world = await startProcess(folder);
  const [taken, left, ended] = [
    await authorized(world, { reference: 'pay_taken' }),
    await authorized(world, { reference: 'pay_left' }),
    await authorized(world, { reference: 'pay_ended', card_token: 'tok_visa_challenge_3220' }),
  ];
  const steps = [
    ['after_commit', 'captures', taken.id, 'cap_after'],
    ['before_commit', 'captures', left.id, 'cap_before'],
    ['after_commit', 'voids', ended.id, 'voi_after'],
  ] as const;
  for (const [point, what, , reference] of steps) {
    await control(world, 'PUT', '/park/easypay', { operation: what.slice(0, -1), point, reference });
  }
  const calls = steps.map(([, what, id, reference]) => outcomeOf(follow(world, id, what, { reference })));
  await untilParked(world, steps.length);
  world.child.kill('SIGKILL');
  await Promise.all(calls);
  const again = await startProcess(folder);
  const kinds = (await movements(again)).map((movement) => movement.kind);
  expect(kinds).toEqual(['authorize', 'authorize', 'capture']);
  expect(await statusOf(again, 'pay_ended')).toBe('voided');
  const repeated: number[] = [];
  for (const [, what, id, reference] of steps) repeated.push((await follow(again, id, what, { reference })).status);
  expect(repeated).toEqual([200, 201, 200]);
  expect(await movements(again)).toHaveLength(4);
});

test('kill -9 keeps orders and captures of PayPal that were never answered, and drops what was not committed', async () => {
  const folder = await temporaryFolder();
  const world = await startProcess(folder);
  const client = await logIn(world);
  const captured = await ordered(client, { reference: 'pay_after' });
  const prepared = await ordered(client, { reference: 'pay_before' });
  for (const [point, reference] of [
    ['after_commit', 'pay_after'],
    ['before_commit', 'pay_before'],
  ]) {
    await control(world, 'PUT', '/park/paypal', { operation: 'charge', point, reference });
  }
  const calls = [captured, prepared].map((id) => outcomeOf(capture(client, id, { id })));
  await untilParked(world, 2, 'paypal');
  world.child.kill('SIGKILL');
  await Promise.all(calls);
  const again = await startProcess(folder);
  expect((await show({ ...client, url: again.paypal }, captured)).status).toBe(401);
  const later = await logIn(again);
  expect(captureIn(await show(later, captured)).status).toBe('COMPLETED');
  expect((await show(later, prepared)).body).toMatchObject({ status: 'CREATED' });
  expect((await capture(later, captured, { id: captured })).status).toBe(200);
  expect((await capture(later, prepared, { id: prepared })).status).toBe(201);
  expect(await movements(again)).toMatchObject([{ reference: 'pay_after' }, { reference: 'pay_before' }]);
});

test('a full disk stops the process rather than let it answer what it cannot keep', async () => {
  const folder = await temporaryFolder();
  // A limit on the size of files stands for the disk: writes beyond it fail, the last one in its middle.
  const world = await startProcess(folder, "trap '' XFSZ; ulimit -f 16;");
  const answered: string[] = [];
  let isUp = true;
  while (isUp) {
    const key = String(answered.length);
    const outcome = await outcomeOf(charge(world, {}, { key }));
    isUp = outcome === 201;
    if (isUp) answered.push(key);
  }
  expect((await world.ended).code).toBe(1);
  expect(world.output.err).toContain('free the disk and start again');
  expect(answered.length).toBeGreaterThan(5);
  const again = await startProcess(folder);
  expect((await movements(again)).map((movement) => movement.idempotency_key)).toEqual(answered);
});

test.for(['SIGTERM', 'SIGINT'] as const)('%s stops the process cleanly while a call waits', async (signal) => {
  const world = await startProcess(await temporaryFolder());
  expect((await control(world, 'GET', '/health')).status).toBe(200);
  const rules = [{ operation: 'charge', probability: 1, fault: 'never' }];
  await control(world, 'PUT', '/faults/easypay', { seed: 1, rules });
  const call = outcomeOf(charge(world));
  world.child.kill(signal);
  expect(await world.ended).toEqual({ code: 0, signal: null });
  expect(await call).not.toBe(201);
  expect(world.output.err).toBe('');
  expect(world.output.out.trim().split('\n')).toHaveLength(1);
});

test('wrong settings are all told at once, without their values, and the exit code is 1', async () => {
  const { output, ended } = spawnSimulators({ SIMULATORS_PORT: '99999', EASYPAY_FACE_PORT: 'secret-ish' });
  expect((await ended).code).toBe(1);
  const wrong = ['SIMULATORS_PORT', 'EASYPAY_FACE_PORT'];
  const missing = ['SIMULATORS_DATA_DIR', 'EASYPAY_API_KEY', 'PAYPAL_CLIENT_ID', 'PAYPAL_CLIENT_SECRET'];
  for (const name of [...wrong, ...missing]) expect(output.err).toContain(name);
  expect(output.err).not.toContain('secret-ish');
  expect(output.out).toBe('');
});

test('a data folder that cannot be had is named in one clear message', async () => {
  const { output, ended } = spawnSimulators({ ...standard, SIMULATORS_DATA_DIR: '/dev/null/folder' });
  expect((await ended).code).toBe(1);
  expect(output.err).toContain('Cannot open /dev/null/folder/bank.jsonl for writing');
});

test.for(['SIMULATORS_PORT', 'PAYPAL_FACE_PORT', 'SMTP_FACE_PORT'])(
  'a taken %s is named in one clear message',
  async (setting) => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    onTestFinished(() => void blocker.close());
    const address = blocker.address();
    const port = address !== null && typeof address === 'object' ? String(address.port) : '';
    const { output, ended } = spawnSimulators({
      ...standard,
      SIMULATORS_DATA_DIR: await temporaryFolder(),
      [setting]: port,
    });
    expect((await ended).code).toBe(1);
    expect(output.err).toContain(`${setting}: port ${port} on 127.0.0.1 is taken`);
  },
);
