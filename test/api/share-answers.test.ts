import { expect, test } from 'vitest';
import { shareAnswers } from '../../api/share-answers.ts';

/** A question on a clock that the test moves, with what answers each asking. */
function question() {
  let now = 1_000;
  const askings: PromiseWithResolvers<string>[] = [];
  const ask = shareAnswers(
    () => {
      const asking = Promise.withResolvers<string>();
      askings.push(asking);
      return asking.promise;
    },
    5_000,
    () => now,
  );
  return { ask, askings, pass: (ms: number) => (now += ms) };
}

test('all who ask while the question is open wait for one answer, however long it takes', async () => {
  const { ask, askings, pass } = question();
  const first = ask();
  pass(60_000);
  const second = ask();
  askings[0]?.resolve('one');
  expect([await first, await second, askings.length]).toEqual(['one', 'one', 1]);
});

test('an answer is good from its end for as long as was said, and then asked for anew', async () => {
  const { ask, askings, pass } = question();
  const first = ask();
  pass(3_000);
  askings[0]?.resolve('one');
  await first;
  pass(4_999);
  expect(await ask()).toBe('one');
  pass(1);
  const next = ask();
  askings[1]?.resolve('two');
  expect([await next, askings.length]).toEqual(['two', 2]);
});

test('a failure, too, is not asked for again at once', async () => {
  const { ask, askings, pass } = question();
  const first = ask();
  askings[0]?.reject(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await expect(ask()).rejects.toThrow('away');
  pass(5_000);
  const next = ask();
  askings[1]?.resolve('back');
  expect([await next, askings.length]).toEqual(['back', 2]);
});
