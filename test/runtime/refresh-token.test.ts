import { describe, expect, test } from 'vitest';
import { hashSecret } from '../../runtime/api-key.ts';
import { isRefreshToken, makeRefreshToken, successorOf } from '../../runtime/refresh-token.ts';

const pepper = 'a pepper of at least 32 characters';

test('no two refresh tokens are the same, and each has the form of one', () => {
  const texts = Array.from({ length: 500 }, makeRefreshToken);
  expect(new Set(texts).size).toBe(500);
  expect(texts.filter((text) => !/^por_[0-9a-z]{58}$/.test(text) || !isRefreshToken(text))).toEqual([]);
});

test('a refresh token with any one character changed, cut or added is none', () => {
  const text = makeRefreshToken();
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === '0' ? '1' : '0';
    expect(isRefreshToken(text.slice(0, at) + other + text.slice(at + 1))).toBe(false);
  }
  for (const changed of [text.slice(0, -1), `${text}0`, ` ${text}`, `${text}\n`, text.toUpperCase(), ''])
    expect(isRefreshToken(changed)).toBe(false);
});

describe('the successor of a refresh token', () => {
  const text = makeRefreshToken();

  test('is a refresh token, and always the same one', () => {
    expect(isRefreshToken(successorOf(text, pepper))).toBe(true);
    expect(successorOf(text, pepper)).toBe(successorOf(text, pepper));
  });

  test('is another one for another token, and under another pepper', () => {
    expect(successorOf(makeRefreshToken(), pepper)).not.toBe(successorOf(text, pepper));
    expect(successorOf(text, `${pepper}.`)).not.toBe(successorOf(text, pepper));
  });

  test('never comes back in a long chain', () => {
    const chain = [text];
    for (let round = 0; round < 1_000; round++) chain.push(successorOf(chain.at(-1) ?? '', pepper));
    expect(new Set(chain).size).toBe(1_001);
  });

  test('cannot be told from the hash that is kept of the token', () => {
    const kept = Buffer.from(hashSecret(text, pepper), 'hex');
    const next = Buffer.from(hashSecret(successorOf(text, pepper), pepper), 'hex');
    expect(next.equals(kept)).toBe(false);
    expect(successorOf(hashSecret(text, pepper), pepper)).not.toBe(successorOf(text, pepper));
  });
});
