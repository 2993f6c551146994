import { expect, test } from 'vitest';
import { createAccessTokens } from '../../activities/providers/paypal/access-tokens.ts';
import { ProviderFault } from '../../activities/providers/provider.ts';
import { aCall, faultKindOf } from './world.ts';

/** Tokens `token-1` and on, good for 100 seconds, on a clock that the test moves. */
function tokens() {
  let now = 1_000_000;
  let fetches = 0;
  const all = createAccessTokens(
    () => Promise.resolve({ value: `token-${++fetches}`, goodForSeconds: 100 }),
    () => now,
  );
  return { all, pass: (ms: number) => (now += ms), fetches: () => fetches };
}

test('a token is new to the call that fetched it, and kept for those after it', async () => {
  const { all } = tokens();
  expect(await all.get(aCall())).toEqual({ value: 'token-1', isNew: true });
  expect(await all.get(aCall())).toEqual({ value: 'token-1', isNew: false });
});

test('a token is renewed a minute before its end', async () => {
  const { all, pass } = tokens();
  await all.get(aCall());
  pass(39_999);
  expect(await all.get(aCall())).toMatchObject({ value: 'token-1' });
  pass(1);
  expect(await all.get(aCall())).toEqual({ value: 'token-2', isNew: true });
});

test('a token that was dropped is fetched anew, once for all who come together', async () => {
  const { all, fetches } = tokens();
  await all.get(aCall());
  all.drop('token-1');
  const got = await Promise.all([all.get(aCall()), all.get(aCall()), all.get(aCall())]);
  expect(got.map(({ value }) => value)).toEqual(['token-2', 'token-2', 'token-2']);
  expect(fetches()).toBe(2);
});

test('a late refusal of an old token does not cost the new one', async () => {
  const { all } = tokens();
  await all.get(aCall());
  all.drop('token-1');
  await all.get(aCall());
  all.drop('token-1');
  expect(await all.get(aCall())).toEqual({ value: 'token-2', isNew: false });
});

test('a call with little time gives up on a fetch that another one began, and the fetch goes on', async () => {
  const { promise, resolve } = Promise.withResolvers<{ value: string; goodForSeconds: number }>();
  const all = createAccessTokens(() => promise);
  const patient = all.get(aCall());
  expect(await faultKindOf(all.get(aCall({ timeoutMs: 20 })))).toBe('unavailable');
  resolve({ value: 'token-1', goodForSeconds: 100 });
  expect(await patient).toMatchObject({ value: 'token-1' });
});

test('a fetch that failed fails those who waited for it, and nobody after them', async () => {
  let fetches = 0;
  const all = createAccessTokens(() => {
    fetches += 1;
    if (fetches === 1) return Promise.reject(new ProviderFault('rate_limited', 'slowly'));
    return Promise.resolve({ value: 'token-2', goodForSeconds: 100 });
  });
  const kinds = await Promise.all([faultKindOf(all.get(aCall())), faultKindOf(all.get(aCall()))]);
  expect(kinds).toEqual(['rate_limited', 'rate_limited']);
  expect(await all.get(aCall())).toMatchObject({ value: 'token-2' });
});
