import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSecretBox } from '../../runtime/secret-box.ts';

const [old, current] = [randomBytes(32), randomBytes(32)];
const box = createSecretBox(new Map([['2026-01', old]]));
const rotated = createSecretBox(
  new Map([
    ['2026-02', current],
    ['2026-01', old],
  ]),
);
const secret = 'whsec_dGhlIHNlY3JldA==';

test('gives back what it was given, to its owner', () => {
  for (const text of [secret, '', '山田 🙂']) expect(box.open(box.seal(text, 'whe_1'), 'whe_1')).toBe(text);
});

test('shows the id of its key and nothing else, and never writes the same twice', () => {
  const sealed = box.seal(secret, 'whe_1');
  expect(sealed).toMatch(/^v1:2026-01:[\w-]+$/);
  expect(Buffer.from(sealed.split(':')[2] ?? '', 'base64url').includes('whsec')).toBe(false);
  expect(box.seal(secret, 'whe_1')).not.toBe(sealed);
});

test('opens nothing that was copied to another owner', () => {
  const sealed = box.seal(secret, 'whe_1');
  expect(() => box.open(sealed, 'whe_2')).toThrow();
  expect(() => box.open(sealed, '')).toThrow();
});

test('opens nothing that was changed in any place', () => {
  const sealed = box.seal(secret, 'whe_1');
  const bytes = Buffer.from(sealed.split(':')[2] ?? '', 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => box.open(`v1:2026-01:${changed.toString('base64url')}`, 'whe_1')).toThrow();
  }
  for (const text of ['', secret, 'v2:2026-01:abcd', 'v1:2026-01:', `${sealed}:x`]) {
    expect(() => box.open(text, 'whe_1')).toThrow();
  }
});

test('reads what an older key wrote, writes with the first one, and names a key that is missing', () => {
  expect(rotated.open(box.seal(secret, 'whe_1'), 'whe_1')).toBe(secret);
  const sealed = rotated.seal(secret, 'whe_1');
  expect(sealed).toMatch(/^v1:2026-02:/);
  expect(() => box.open(sealed, 'whe_1')).toThrow(/"2026-02".*STORED_SECRETS_KEYS/);
  const another = createSecretBox(new Map([['2026-01', current]]));
  expect(() => another.open(box.seal(secret, 'whe_1'), 'whe_1')).toThrow();
});

test('does not start without a key', () => {
  expect(() => createSecretBox(new Map())).toThrow('STORED_SECRETS_KEYS needs at least one key');
});
