import { describe, expect, test } from 'vitest';
import { hashSecret, isSecret, type KeyKind, makeKey, makeSigningSecret, parseKey } from '../../runtime/api-key.ts';

const pepper = 'a pepper of at least 32 characters';
const kinds: readonly KeyKind[] = ['test', 'live', 'operator'];

describe.each(kinds)('a %s key', (kind) => {
  const key = makeKey(kind, pepper);

  test('says what it is and is taken apart into what it was made of', () => {
    expect(key.text).toMatch(new RegExp(`^po_${kind}_[0-9a-z]{16}_[0-9a-z]{38}$`));
    const parsed = parseKey(key.text);
    expect(parsed).toMatchObject({ kind, keyId: key.keyId });
    expect(isSecret(parsed?.secret ?? '', key.secretHash, pepper)).toBe(true);
  });

  test('is not in what may be kept of it', () => {
    const secret = parseKey(key.text)?.secret ?? '';
    expect(secret).toHaveLength(32);
    expect(key.secretHash).toMatch(/^[0-9a-f]{64}$/);
    expect(`${key.keyId} ${key.secretHash}`).not.toContain(secret);
  });

  test('is found in any text by the pattern that scanners are given, and by nothing but its checksum told from noise', () => {
    const leak = `const key = "${key.text}"; // ${key.text.slice(0, -6)}`;
    const found = leak.match(/\bpo_(test|live|operator)_[0-9a-hjkmnp-tv-z]{16}_[0-9a-hjkmnp-tv-z]{38}\b/g);
    expect(found).toEqual([key.text]);
    expect(parseKey(key.text.replace(/.{6}$/, '000000'))).toBeNull();
  });

  test('with any one character changed is none', () => {
    for (let at = 0; at < key.text.length; at++) {
      for (const character of ['0', 'z', '_', 'A', ' ', 'é']) {
        if (key.text[at] === character) continue;
        const changed = key.text.slice(0, at) + character + key.text.slice(at + 1);
        expect([changed, parseKey(changed)]).toEqual([changed, null]);
      }
    }
  });

  test.each([
    ['empty', ''],
    ['a line end behind it', `${key.text}\n`],
    ['a space in front of it', ` ${key.text}`],
    ['upper case', key.text.toUpperCase()],
    ['cut', key.text.slice(0, -1)],
    ['too long', `${key.text}0`],
    ['without its checksum', key.text.slice(0, -6)],
    ['twice', key.text + key.text],
    ['without its prefix', key.text.slice(3)],
    ['of a kind that does not exist', key.text.replace(`po_${kind}`, 'po_admin')],
  ])('is none when it is %s', (_name, text) => {
    expect(parseKey(text)).toBeNull();
  });

  test('renamed to another kind is none', () => {
    for (const other of kinds.filter((one) => one !== kind)) {
      expect(parseKey(key.text.replace(`po_${kind}_`, `po_${other}_`))).toBeNull();
    }
  });
});

describe('a secret', () => {
  const secretHash = hashSecret('secret', pepper);

  test('is known by its hash and pepper, and by nothing else', () => {
    expect(isSecret('secret', secretHash, pepper)).toBe(true);
    expect(isSecret('Secret', secretHash, pepper)).toBe(false);
    expect(isSecret('', secretHash, pepper)).toBe(false);
    expect(isSecret('secret', secretHash, `${pepper}.`)).toBe(false);
    expect(isSecret('secret', secretHash.toUpperCase(), pepper)).toBe(false);
  });

  test('is never matched by a hash of another length', () => {
    expect(isSecret('secret', '', pepper)).toBe(false);
    expect(isSecret('secret', secretHash.slice(0, -1), pepper)).toBe(false);
    expect(isSecret('secret', `${secretHash}0`, pepper)).toBe(false);
  });
});

test('a signing secret has 256 random bits behind a prefix that scanners find', () => {
  const secrets = Array.from({ length: 200 }, makeSigningSecret);
  for (const secret of secrets) expect(secret).toMatch(/^pos_[0-9a-hjkmnp-tv-z]{52}$/);
  expect(new Set(secrets).size).toBe(200);
});

test('no two keys share an id or a secret', () => {
  const parsed = Array.from({ length: 500 }, () => parseKey(makeKey('test', pepper).text));
  expect(new Set(parsed.map((key) => key?.keyId)).size).toBe(500);
  expect(new Set(parsed.map((key) => key?.secret)).size).toBe(500);
});
