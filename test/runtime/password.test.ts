import { describe, expect, test } from 'vitest';
import { checkPassword, hashPassword, PasswordsBusy, passwordProblem } from '../../runtime/password.ts';

const right = 'correct horse battery';

test('a password is known by its hash, which is another one each time and says what it cost', async () => {
  const [hash, another] = [await hashPassword(right), await hashPassword(right)];
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(hash).not.toBe(another);
  expect(await checkPassword(right, hash)).toEqual({ isRight: true, needsRehash: false });
  expect(await checkPassword(`${right} `, hash)).toEqual({ isRight: false, needsRehash: false });
});

/** Of the reference implementation's own tests (P-H-C/phc-winner-argon2, src/test.c): "password", "somesalt". */
const ofReference = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';

test('a hash that the reference implementation made is understood, and needs another one as its cost is not ours', async () => {
  expect(await checkPassword('password', ofReference)).toEqual({ isRight: true, needsRehash: true });
  expect(await checkPassword('Password', ofReference)).toEqual({ isRight: false, needsRehash: false });
});

test.each([
  ['no account', null],
  ['an empty hash', ''],
  ['another algorithm', ofReference.replace('argon2id', 'argon2i')],
  ['another version', ofReference.replace('v=19', 'v=16')],
  ['a hash that was cut', ofReference.slice(0, -10)],
])('no password fits %s', async (_, kept) => {
  expect(await checkPassword('password', kept)).toEqual({ isRight: false, needsRehash: false });
});

test('the same characters are the same password, however a keyboard composed them', async () => {
  expect(await checkPassword('cafe\u0301 au lait chaud', await hashPassword('caf\u00e9 au lait chaud'))).toMatchObject({
    isRight: true,
  });
});

describe('a password', () => {
  const person = { email: 'Ada.Lovelace@example.com', name: 'Augusta Ada King' };

  test.each([
    ['11 characters', 'a'.repeat(11), /at least 12/],
    ['11 characters of two code units', '😀'.repeat(11), /at least 12/],
    ['201 characters', 'a'.repeat(201), /at most 200/],
    ['a lone surrogate', `${'a'.repeat(12)}\ud800`, /well-formed/],
    ['the mail address', 'ada.lovelace@EXAMPLE.com', /must not be/],
    ['the name', 'augusta ada king', /must not be/],
  ])('of %s is refused', (_, password, reason) => {
    expect(passwordProblem(password, person)).toMatch(reason);
  });

  test.each([
    ['12 characters of one kind', 'a'.repeat(12)],
    ['200 characters', 'ä'.repeat(200)],
    ['12 characters of two code units', '😀'.repeat(12)],
    ['words with blanks', right],
  ])('of %s is taken', (_, password) => {
    expect(passwordProblem(password, person)).toBeNull();
  });
});

test('so many may wait for their hash, then the next is refused at once; when they are done, there is room again', async () => {
  const cheap = ofReference.replace('m=65536', 'm=8');
  const all = await Promise.allSettled(Array.from({ length: 110 }, () => checkPassword('password', cheap)));
  const refused = all.filter((one) => one.status === 'rejected');
  expect(refused).toHaveLength(8); // two at work, a hundred waiting
  for (const one of refused) expect(one.reason).toBeInstanceOf(PasswordsBusy);
  expect(await checkPassword('password', ofReference)).toMatchObject({ isRight: true });
});
