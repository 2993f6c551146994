import { expect, test } from 'vitest';
import { hashSecret } from '../../runtime/api-key.ts';
import { makeRecoveryCodes, makeTotpSecret, recoveryCodeHash, totpStepOf, totpUrl } from '../../runtime/totp.ts';

/** Of RFC 6238, appendix B: "12345678901234567890" in base32; the last six digits of its codes. */
const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const atSecond = (second: number) => new Date(second * 1_000);

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
])('the code at second %i is that of the RFC, and is known by its step', (second, code) => {
  expect(totpStepOf(secret, code, atSecond(second))).toBe(Math.floor(second / 30));
});

test('a code holds for its step and the ones beside it, and always names its own', () => {
  const [second, code] = [1_234_567_890, '005924']; // the first second of its step
  const step = second / 30;
  expect(totpStepOf(secret, code, atSecond(second - 30))).toBe(step);
  expect(totpStepOf(secret, code, atSecond(second + 59))).toBe(step);
  expect(totpStepOf(secret, code, atSecond(second - 31))).toBeNull();
  expect(totpStepOf(secret, code, atSecond(second + 60))).toBeNull();
});

test.each(['', '00592', '0005924', '005925', 'abcdef', '００５９２４'])('"%s" is no code', (code) => {
  expect(totpStepOf(secret, code, atSecond(1_234_567_890))).toBeNull();
});

test('secrets have 160 bits, are never the same, and are told to apps as these read them', () => {
  const made = makeTotpSecret();
  expect(made).toMatch(/^[A-Z2-7]{32}$/);
  expect(makeTotpSecret()).not.toBe(made);
  const url = new URL(totpUrl(made, 'ada@example.com'));
  expect(url.protocol + url.host).toBe('otpauth:totp');
  expect(decodeURIComponent(url.pathname)).toBe('/payment-orchestrator:ada@example.com');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    issuer: 'payment-orchestrator',
    secret: made,
    algorithm: 'SHA1',
    digits: '6',
    period: '30',
  });
});

test('ten recovery codes of 80 bits are found by their hashes, however they are typed', () => {
  const pepper = 'a pepper of thirty-two characters';
  const { texts, hashes } = makeRecoveryCodes(pepper);
  expect(new Set(texts).size).toBe(10);
  for (const text of texts) expect(text).toMatch(/^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/);
  expect(texts.map((text) => recoveryCodeHash(text, pepper))).toEqual(hashes);
  expect(texts.map((text) => recoveryCodeHash(` ${text.toUpperCase().replaceAll('-', ' ')}`, pepper))).toEqual(hashes);
  expect(recoveryCodeHash('OIL0-1234', pepper)).toBe(hashSecret('01101234', pepper));
  expect(texts.map((text) => recoveryCodeHash(text, 'another'))).not.toEqual(hashes);
});
