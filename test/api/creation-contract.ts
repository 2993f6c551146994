import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type CallAnswer, callApi, readAll } from '../support/api-call.ts';
import type { ApiServer } from '../support/api-server.ts';
import { codeOf, refusalOf } from '../support/keyed-call.ts';

/** A kind of object that is made by `POST`: one at most under an idempotency key, by a merchant in a mode. */
export interface Creation {
  /** Where it is posted to, and listed. */
  readonly path: string;
  /** What is posted by that merchant in that mode. */
  readonly body: (of: { readonly merchantId: string; readonly isTest: boolean }) => object | Promise<object>;
  /** What makes another good body of it. */
  readonly change: object;
  /** Members that no two of them have in common. */
  readonly ownMembers?: readonly string[];
  /** Whether there is none in live mode. */
  readonly isOfTestModeAlone?: boolean;
}

type Made = Readonly<Record<string, unknown>>;

/** Posts the same many times at once: all are answered alike, and one alone is no repeat. Returns what was made. */
export async function madeOnce<Data>(
  idempotencyKey: string,
  post: (idempotencyKey: string) => Promise<CallAnswer<{ data: Data }>>,
  count = 20,
): Promise<Data> {
  const answers = await Promise.all(Array.from({ length: count }, () => post(idempotencyKey)));
  expect(new Set(answers.map(codeOf))).toEqual(new Set(['201']));
  expect(new Set(answers.map(({ headers }) => headers.get('idempotency-key')))).toEqual(new Set([idempotencyKey]));
  const firsts = answers.filter(({ headers }) => headers.get('idempotent-replayed') === null);
  expect(firsts.length, 'how many are no repeats').toBe(1);
  const [data, ...others] = new Map(answers.map(({ body }) => [JSON.stringify(body.data), body.data])).values();
  if (data === undefined || others.length > 0) expect.fail(`not all answers show the same: ${others.length} others`);
  return data;
}

/** What all kinds promise, as tests. */
export function testCreation(api: ApiServer, creation: Creation): void {
  const { path, change, ownMembers = ['id'], isOfTestModeAlone = false } = creation;
  const { aCaller, severalCallers } = callersOf(api, creation);

  test('with the same key is the same one, for twenty at once too, and with another body it is refused', async () => {
    const { apiKey, body, post } = await aCaller();
    // Opens the connections: else the first request is done before the others reach the database.
    await Promise.all(Array.from({ length: 20 }, () => readAll(api.url, apiKey, path)));
    await madeOnce('key-1', (idempotencyKey) => post(body, idempotencyKey));
    expect(refusalOf(await post({ ...body, ...change }, 'key-1'))).toEqual([422, 'idempotency_key_reused', []]);
    expect(await readAll(api.url, apiKey, path)).toHaveLength(1);
  });

  test(`with the same key of another merchant${isOfTestModeAlone ? '' : ' or mode'} is another one`, async () => {
    const callers = await severalCallers();
    const answers = await Promise.all(callers.map(({ body, post }) => post(body, 'key-1')));
    expect(new Set(answers.map(codeOf))).toEqual(new Set(['201']));
    for (const member of ownMembers) {
      const values = answers.map(({ body }) => body.data[member]);
      expect(values).not.toContain(undefined);
      expect(new Set(values).size, member).toBe(callers.length);
    }
    for (const { apiKey } of callers) expect(await readAll(api.url, apiKey, path)).toHaveLength(1);
  });

  test('without a key is another one each time, under a key that the answer names', async () => {
    const { body, post } = await aCaller();
    const nameless = { ...body, external_id: undefined };
    const [one, other] = [await post(nameless), await post(nameless)];
    expect([one, other].map(codeOf)).toEqual(['201', '201']);
    expect(other.body.data['id']).not.toBe(one.body.data['id']);
    const again = await post(nameless, one.headers.get('idempotency-key'));
    expect([again.headers.get('idempotent-replayed'), again.body.data]).toEqual(['true', one.body.data]);
  });
}

/** What those kinds promise that a merchant may name, as a test. */
export function testExternalId(api: ApiServer, creation: Creation): void {
  const { aCaller, severalCallers } = callersOf(api, creation);

  test('has an external_id of its own in its merchant’s mode, also of ten at once', async () => {
    const { apiKey, body, post } = await aCaller();
    const named = { ...body, external_id: 'shop-7' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(named)));
    const refused = Array.from({ length: 9 }, () => '409 external_id_taken');
    expect(answers.map(codeOf).toSorted()).toEqual(['201', ...refused]);
    await post({ ...body, external_id: 'shop-8' });
    expect(await readAll(api.url, apiKey, creation.path, { external_id: 'shop-7' })).toHaveLength(1);
    for (const other of await severalCallers())
      expect(codeOf(await other.post({ ...other.body, external_id: 'shop-7' }))).toBe('201');
  });
}

/** Who makes what: each with a body of their own. */
function callersOf(api: ApiServer, { path, body, isOfTestModeAlone = false }: Creation) {
  async function aCaller({ merchantId = `mer_${randomUUID()}`, isTest = true } = {}) {
    const apiKey = await api.keyFor(merchantId, { isTest });
    const post = (posted: object, idempotencyKey: string | null = null) =>
      callApi<{ data: Made }>(api.url, apiKey, {
        method: 'POST',
        path,
        body: posted,
        headers: idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey },
      });
    return { apiKey, body: await body({ merchantId, isTest }), post };
  }

  /** Two merchants, the first one in each mode that there is. */
  function severalCallers() {
    const merchantId = `mer_${randomUUID()}`;
    const modes = isOfTestModeAlone ? [true] : [true, false];
    return Promise.all([...modes.map((isTest) => aCaller({ merchantId, isTest })), aCaller()]);
  }
  return { aCaller, severalCallers };
}
