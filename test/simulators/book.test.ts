import { appendFile, readdir, readFile, readlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DurableLog } from '../../simulators/durable-log.ts';
import { follow } from './easypay.ts';
import { accounts, charge, lookUp, movements, outcomeOf, startWorld, temporaryFolder } from './harness.ts';

test('a torn last line is cut off with a warning, and the book goes on behind it', async () => {
  const world = await startWorld();
  await charge(world, { reference: 'pay_1' }, { key: 'one' });
  await charge(world, { reference: 'pay_2' }, { key: 'two' });
  await world.stop();
  const path = join(world.folder, 'bank.jsonl');
  const whole = await readFile(path);
  await truncate(path, whole.length - 20);
  const again = await startWorld(world.folder);
  expect(again.warnings).toEqual([expect.stringContaining('torn last line')]);
  expect((await movements(again)).map((movement) => movement.reference)).toEqual(['pay_1']);
  expect((await lookUp(again, 'pay_2')).body).toEqual({ charges: [] });
  expect((await charge(again, { reference: 'pay_2' }, { key: 'two' })).status).toBe(201);
  await again.stop();
  const third = await startWorld(world.folder);
  expect(third.warnings).toEqual([]);
  expect((await movements(third)).map((movement) => movement.seq)).toEqual([1, 2]);
  expect((await accounts(third)).map((account) => account.balance_minor)).toEqual(['-5198', '5198']);
});

test.for([
  ['a damaged line', (lines: string[]) => ['{"movement":', ...lines]],
  ['a missing movement', (lines: string[]) => lines.slice(1)],
  ['a doubled movement', (lines: string[]) => [lines[0] ?? '', ...lines]],
] as const)(
  'a book with %s before its end is not guessed at: the start fails and names the line',
  async ([, damage]) => {
    const world = await startWorld();
    for (const key of ['one', 'two', 'three']) await charge(world, {}, { key });
    await world.stop();
    const path = join(world.folder, 'bank.jsonl');
    const lines = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, damage(lines).join('\n'));
    await expect(startWorld(world.folder)).rejects.toThrow(/damaged at line \d/);
  },
);

test('a commit and its charge are one record: neither can be lost alone', async () => {
  const world = await startWorld();
  await charge(world, {}, { key: 'one' });
  const lines = (await readFile(join(world.folder, 'bank.jsonl'), 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    movement: { seq: 1, idempotency_key: 'one' },
    memo: { provider: 'easypay', value: { charge: { status: 'approved', idempotency_key: 'one' } } },
  });
});

test('a book from before there was more than charges is read, and what it holds can be refunded', async () => {
  const folder = await temporaryFolder();
  const at = '2026-01-02T03:04:05.678Z';
  const request = { reference: 'pay_1', amount_minor: '2599', currency: 'USD', card_token: 'tok_visa_4242' };
  const { card_token: _, ...fields } = request;
  const old = {
    id: 'epc_000000000000000000000001',
    ...fields,
    idempotency_key: 'one',
    status: 'approved',
    response_code: '00',
    response_message: 'Approved',
    card: { brand: 'visa', last_four: '4242' },
    created_at: at,
  };
  const movement = { seq: 1, at, kind: 'charge', provider: 'easypay', ...fields, idempotency_key: 'one' };
  const entry = {
    movement: { ...movement, state: 'committed' },
    memo: { provider: 'easypay', value: { charge: old, request } },
  };
  await writeFile(join(folder, 'bank.jsonl'), `${JSON.stringify(entry)}\n`);
  const world = await startWorld(folder);
  expect(world.warnings).toEqual([]);
  const shown = { ...old, captured: true, action_url: null };
  expect((await lookUp(world, 'pay_1')).body).toEqual({ charges: [shown] });
  const replay = await charge(world, {}, { key: 'one' });
  expect(replay).toMatchObject({ status: 200, body: shown });
  expect((await follow(world, old.id, 'refunds', { reference: 'ref_1' })).status).toBe(201);
  expect(await accounts(world)).toMatchObject([{ balance_minor: '0' }, { id: 'merchants_USD', balance_minor: '0' }]);
});

test('a durable log shows entries only once they are on disk, in order, many per write', async () => {
  const path = join(await temporaryFolder(), 'log.jsonl');
  const applied: number[] = [];
  const options = {
    path,
    parse: Number,
    apply: (entry: number) => applied.push(entry),
    warn: () => undefined,
    onFailure: () => undefined,
  };
  const log = await DurableLog.open(options);
  const all = Promise.all(Array.from({ length: 500 }, (_, index) => log.append(index)));
  expect(applied).toEqual([]);
  await all;
  expect(applied).toEqual(Array.from({ length: 500 }, (_, index) => index));
  const last = log.append(500);
  await log.close();
  await last;
  await expect(log.append(501)).rejects.toThrow('is closed');
  await appendFile(path, '50');
  applied.length = 0;
  await (await DurableLog.open(options)).close();
  expect(applied).toHaveLength(501);
});

test.runIf(process.platform === 'linux')('a stop under load leaves the book closed and whole', async () => {
  const world = await startWorld();
  const calls = Array.from({ length: 50 }, (_, index) => outcomeOf(charge(world, {}, { key: String(index) })));
  await Promise.race(calls);
  await world.stop();
  const path = join(world.folder, 'bank.jsonl');
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
  );
  expect(links).not.toContain(path);
  const answered = (await Promise.all(calls)).filter((outcome) => outcome === 201);
  expect(answered.length).toBeGreaterThan(0);
  const again = await startWorld(world.folder);
  expect(again.warnings).toEqual([]);
  expect((await movements(again)).length).toBeGreaterThanOrEqual(answered.length);
});
