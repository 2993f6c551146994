import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { TestClockClient } from '../../api/temporal/test-clock-client.ts';
import { callApi, readAll } from '../support/api-call.ts';
import { apiUnderTest, merchantPerTest } from '../support/api-under-test.ts';
import { insertClockSubscription, settleClockSubscription } from '../support/clock-subscription.ts';
import { codeOf, postKeyed, refusalOf } from '../support/keyed-call.ts';
import { untilLookedAgain } from '../support/looks.ts';
import { testCreation } from './creation-contract.ts';

const wake = vi.fn<TestClockClient['wake']>();

const { database, api } = apiUnderTest({ testClocks: { wake } });
const merchant = merchantPerTest(api);
beforeEach(() => void wake.mockReset().mockResolvedValue(null));

interface Clock {
  readonly id: string;
  readonly status: string;
  readonly frozen_time: string;
  readonly advancing_to: string | null;
  readonly waiting_for: readonly string[];
}

const path = '/api/v1/test-clocks';
const january = '2026-01-31T09:00:00.000Z';
const february = '2026-02-28T09:00:00.000Z';

const post = (body: unknown, idempotencyKey: string = randomUUID(), apiKey = merchant.key) =>
  postKeyed<Clock>(api.url, apiKey, { path, body, idempotencyKey });
const made = async (): Promise<Clock> => (await post({ frozen_time: january })).body.data;
const get = (id: string, apiKey = merchant.key) => callApi<{ data: Clock }>(api.url, apiKey, { path: `${path}/${id}` });
const act = (id: string, verb: 'advance' | 'settle', body: unknown, prefer?: string, apiKey = merchant.key) =>
  callApi<{ data: Clock }>(api.url, apiKey, {
    method: 'POST',
    path: `${path}/${id}/${verb}`,
    body,
    headers: prefer === undefined ? {} : { prefer },
  });
const advance = (id: string, to: unknown, prefer?: string, apiKey = merchant.key) =>
  act(id, 'advance', { to }, prefer, apiKey);
const settle = (id: string, prefer?: string, apiKey = merchant.key) => act(id, 'settle', {}, prefer, apiKey);
/** What the workflow does in the end. */
const arrive = (id: string) =>
  database.admin.query(`UPDATE test_clocks SET now = target, target = NULL, status = 'ready' WHERE id = $1`, [id]);

describe('a new clock', () => {
  test('stands at its time, and is read and listed so', async () => {
    const answer = await post({ name: 'Spring', frozen_time: '2026-01-31T10:00:00+01:00' }, 'key-1');
    expect(answer.status).toBe(201);
    const clock = answer.body.data;
    expect(clock).toEqual({
      id: expect.stringMatching(/^clk_[0-9a-z]{26}$/),
      name: 'Spring',
      status: 'ready',
      frozen_time: january,
      advancing_to: null,
      waiting_for: [],
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      is_test: true,
    });
    expect(answer.headers.get('location')).toBe(`${path}/${clock.id}`);
    expect((await get(clock.id)).body.data).toEqual(clock);
    expect(await readAll<Clock>(api.url, merchant.key, path)).toEqual([clock]);
  });

  testCreation(api, {
    path,
    body: () => ({ name: 'Spring', frozen_time: '2026-01-31T10:00:00+01:00' }),
    change: { name: undefined },
    isOfTestModeAlone: true,
  });

  test('is of the test mode alone', async () => {
    const live = await api.keyFor(merchant.id, { isTest: false });
    expect(codeOf(await post({ frozen_time: january }, 'k', live))).toBe('422 wrong_mode');
    const { id } = await made();
    expect(await readAll<Clock>(api.url, live, path)).toEqual([]);
    expect(codeOf(await get(id, live))).toBe('404 not_found');
    expect(codeOf(await advance(id, february, undefined, live))).toBe('404 not_found');
    expect(codeOf(await settle(id, undefined, live))).toBe('404 not_found');
  });

  test('is its merchant’s alone', async () => {
    const { id } = await made();
    const other = await api.keyFor(`mer_${randomUUID()}`);
    expect(codeOf(await get(id, other))).toBe('404 not_found');
    expect(codeOf(await advance(id, february, undefined, other))).toBe('404 not_found');
    expect(codeOf(await settle(id, undefined, other))).toBe('404 not_found');
    expect(wake).not.toHaveBeenCalled();
  });

  test.each([
    [{}, '/frozen_time'],
    [{ frozen_time: 'soon' }, '/frozen_time'],
    [{ frozen_time: 1_700_000_000 }, '/frozen_time'],
    [{ frozen_time: '2026-01-31' }, '/frozen_time'],
    [{ frozen_time: '2026-02-30T00:00:00Z' }, '/frozen_time'],
    [{ frozen_time: '1999-12-31T23:59:59Z' }, '/frozen_time'],
    [{ frozen_time: '2200-01-01T00:00:00Z' }, '/frozen_time'],
    [{ frozen_time: january, name: '' }, '/name'],
    [{ frozen_time: january, status: 'ready' }, '/status'],
  ])('is refused as %j', async (body, pointer) => {
    expect(refusalOf(await post(body))).toEqual([422, 'validation_failed', [pointer]]);
  });
});

describe('an advance', () => {
  test('is taken at once, and its workflow is woken', async () => {
    const { id } = await made();
    const answer = await advance(id, february);
    expect(answer.status).toBe(202);
    expect(answer.body.data).toMatchObject({ status: 'advancing', frozen_time: january, advancing_to: february });
    expect(wake.mock.calls).toEqual([[{ clockId: id, merchantId: merchant.id }]]);
  });

  test('is waited for as long as the caller wants', async () => {
    const { id } = await made();
    wake.mockImplementation(async () => {
      await arrive(id);
      return null;
    });
    const answer = await advance(id, february, 'wait=20');
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ status: 'ready', frozen_time: february, advancing_to: null });
  });

  test('is a repeat with the same instant, on its way and when it has arrived', async () => {
    const { id } = await made();
    await advance(id, february);
    expect((await advance(id, '2026-02-28T10:00:00+01:00')).status).toBe(202);
    await arrive(id);
    const last = await advance(id, february);
    expect([last.status, last.body.data.frozen_time]).toEqual([200, february]);
    expect(wake).toHaveBeenCalledTimes(2);
  });

  test('is refused while the clock is on its way to another instant', async () => {
    const { id } = await made();
    await advance(id, february);
    expect(codeOf(await advance(id, '2026-03-31T09:00:00Z'))).toBe('409 test_clock_advancing');
    expect((await get(id)).body.data).toMatchObject({ advancing_to: february });
  });

  test('is one of twenty at the same time, and all others are refused', async () => {
    const { id } = await made();
    const targets = Array.from({ length: 20 }, (_, day) => `2026-02-${String(day + 1).padStart(2, '0')}T00:00:00.000Z`);
    const answers = await Promise.all(targets.map((to) => advance(id, to)));
    const taken = targets.filter((_, index) => answers[index]?.status === 202);
    expect(taken).toHaveLength(1);
    expect((await get(id)).body.data.advancing_to).toBe(taken[0]);
    expect(answers.filter((answer) => answer.status !== 202).map(codeOf)).toEqual(
      Array.from({ length: 19 }, () => '409 test_clock_advancing'),
    );
  });

  test('goes two years at most, and never back', async () => {
    const { id } = await made();
    for (const to of ['2028-01-31T09:00:00.001Z', '2026-01-31T08:59:59.999Z', '2199-01-01T00:00:00Z'])
      expect(refusalOf(await advance(id, to))).toEqual([422, 'validation_failed', ['/to']]);
    expect((await advance(id, '2028-01-31T09:00:00.000Z')).status).toBe(202);
  });

  test.each([undefined, null, 'tomorrow', '', 5, '2026-02-28'])('is refused to %j', async (to) => {
    const { id } = await made();
    expect(refusalOf(await advance(id, to))).toEqual([422, 'validation_failed', ['/to']]);
  });

  test('is taken while Temporal is away: the row says it, and the sweep starts it later', async () => {
    wake.mockResolvedValue({ kind: 'not_taken', cause: new Error('away') });
    const { id } = await made();
    expect((await advance(id, february)).status).toBe(202);
    expect((await get(id)).body.data).toMatchObject({ status: 'advancing' });
    expect(api.log()).toContain(id);
  });

  test.each(['clk_x', 'clk_00000000000000000000000000', 'pay_1'])('of %s is not found', async (id) => {
    expect(codeOf(await advance(id, february))).toBe('404 not_found');
    expect(codeOf(await settle(id))).toBe('404 not_found');
    expect(codeOf(await get(id))).toBe('404 not_found');
  });
});

describe('settling', () => {
  test('answers at once where nothing is left to do, and wakes nobody', async () => {
    const { id } = await made();
    expect((await settle(id)).status).toBe(200);
    expect(wake).not.toHaveBeenCalled();
  });

  test('waits for what is due and for charges on their way, and names ten of them', async () => {
    const { id } = await made();
    const due: string[] = [];
    for (let index = 0; index < 11; index++)
      due.push(await insertClockSubscription(database, merchant.id, id, { at: january }));
    const charged = await insertClockSubscription(database, merchant.id, id, { at: null, chargePaymentId: 'pay_1' });
    await insertClockSubscription(database, merchant.id, id, { at: february });
    const waiting = await settle(id, 'wait=0');
    expect(waiting.status).toBe(202);
    expect(waiting.body.data.waiting_for).toEqual([...due, charged].toSorted().slice(0, 10));
    expect(wake).toHaveBeenCalledTimes(1);
    wake.mockImplementation(async () => {
      for (const one of [...due, charged]) await settleClockSubscription(database, one, february);
      return null;
    });
    const answer = await settle(id, 'wait=20');
    expect([answer.status, answer.body.data.waiting_for]).toEqual([200, []]);
  });

  test('waits until an advance has arrived', async () => {
    const { id } = await made();
    await advance(id, february);
    expect((await settle(id, 'wait=0')).status).toBe(202);
    const arriving: Promise<unknown>[] = [];
    wake.mockImplementation(async () => {
      arriving.push(untilLookedAgain(database.db, 'select_test_clock').then(() => arrive(id)));
      return null;
    });
    const answer = await settle(id, 'wait=20');
    expect([answer.status, answer.body.data.frozen_time]).toEqual([200, february]);
    await Promise.all(arriving);
  });

  test('waits no longer than the merchant’s own time, unless asked to', async () => {
    await database.admin.query(`UPDATE merchants SET settings = '{"wait": 1}' WHERE id = $1`, [merchant.id]);
    const { id } = await made();
    await advance(id, february);
    const before = performance.now();
    expect((await settle(id)).status).toBe(202);
    expect((await settle(id, 'respond-async')).status).toBe(202);
    expect(performance.now() - before).toBeGreaterThan(900);
  });
});
