import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { setImmediate as immediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Problem } from '../../api/errors.ts';
import { type LoginAttempt, login } from '../../api/login.ts';
import { type Database, openDatabase } from '../../prisma/database.ts';
import { recordLogin } from '../../prisma/logins.ts';
import { openSession } from '../../prisma/sessions.ts';
import { checkPassword } from '../../runtime/password.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { databaseUnderTest } from '../support/api-under-test.ts';
import { sessionFor, testAccessTokens, testPassword } from '../support/session.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const keys = {
  apiKeyPepper: randomBytes(32).toString('hex'),
  secretBox: createSecretBox(new Map([['test', randomBytes(32)]])),
};

const database = databaseUnderTest();
/** What another API process has. */
let another: Database;
beforeAll(() => {
  const limits = { connectionsMax: 10, connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
  another = openDatabase({ url: database.url, ...limits }, () => undefined);
});
afterAll(() => another?.close());

/** Never the same twice in a run: addresses are counted over all accounts. */
let addresses = 0;
const anAddress = () => {
  addresses += 1;
  return `10.${addresses >> 16}.${(addresses >> 8) & 255}.${addresses & 255}`;
};

const anInstant = () => new Date(Date.UTC(2027, 0, 1) + randomInt(dayMs));
const later = (instant: Date, ms: number) => new Date(instant.getTime() + ms);

/** A user who has the password, of a merchant or of the platform. */
async function aUser(others: { merchantId?: string | null; role?: string } = {}) {
  const { merchantId = `mer_${randomUUID()}`, role = 'finance' } = others;
  const { userId, email } = await sessionFor(database.db, testAccessTokens(), { merchantId, role });
  return { merchantId, userId, email, role };
}

async function hashOf(userId: string): Promise<string> {
  const { passwordHash } = await database.db.prisma.user.findUniqueOrThrow({ where: { id: userId } });
  return passwordHash ?? '';
}

type Given = Partial<LoginAttempt> & Pick<LoginAttempt, 'merchantId' | 'email' | 'now'>;
const tryLogin = (given: Given, db = database.db) =>
  login({ db, ...keys }, { password: testPassword, address: anAddress(), ...given });

/** The code of the problem that a login ends with; null: somebody logged in. */
async function refusalOf(given: Given, db = database.db): Promise<string | null> {
  const problem = await problemOf(given, db);
  return problem?.code ?? null;
}

async function problemOf(given: Given, db = database.db): Promise<Problem | null> {
  try {
    await tryLogin(given, db);
    return null;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** So many tries one after another, each from the address that is given for it. */
async function failOften(given: Given, times: number, addressOf: () => string): Promise<(string | null)[]> {
  const refusals: (string | null)[] = [];
  for (let i = 0; i < times; i++)
    refusals.push(await refusalOf({ ...given, password: 'a wrong password', address: addressOf() }));
  return refusals;
}

const all = (code: string, times: number) => Array.from({ length: times }, () => code);

describe('a login', () => {
  test('with the right password says who it is, however the address is written', async () => {
    const { merchantId, userId, email, role } = await aUser();
    const now = anInstant();
    const known = { userId, merchantId, role, hasTotp: false };
    expect(await tryLogin({ merchantId, email, now })).toMatchObject(known);
    expect(await tryLogin({ merchantId, email: email.toUpperCase(), now })).toMatchObject(known);
    const { rows } = await database.admin.query('SELECT last_login_at FROM users WHERE id = $1', [userId]);
    expect(rows).toEqual([{ last_login_at: now }]);
  });

  test('opens no session when the password was changed between the two', async () => {
    const { merchantId, userId, email } = await aUser();
    const { passwordHash } = await tryLogin({ merchantId, email, now: new Date() });
    const session = () => ({
      id: `ses_${base32(randomBytes(17), 130)}`,
      userId,
      apiKeyId: null,
      merchantId,
      isTest: true,
      permissions: [],
      hasTotp: false,
      expiresAt: new Date(Date.now() + 60_000),
    });
    const open = () => openSession(database.db, session(), null, { correlationId: 'c', at: new Date() }, passwordHash);
    const countSessions = () => database.db.prisma.authSession.count({ where: { userId } });
    const before = await countSessions();
    expect(await open()).toBe(true);
    await database.admin.query(`UPDATE users SET password_hash = 'another' WHERE id = $1`, [userId]);
    expect(await open()).toBe(false);
    expect(await countSessions()).toBe(before + 1);
  });

  test('of the platform’s own people needs no merchant, and is none of a merchant', async () => {
    const { userId, email } = await aUser({ merchantId: null, role: 'auditor' });
    const { merchantId } = await aUser();
    const now = anInstant();
    expect(await tryLogin({ merchantId: null, email, now })).toMatchObject({
      userId,
      merchantId: null,
      role: 'auditor',
    });
    for (const wrong of [merchantId, ''])
      expect(await refusalOf({ merchantId: wrong, email, now })).toBe('login_refused');
  });

  test('at another merchant, or at none, is refused', async () => {
    const { email } = await aUser();
    const { merchantId } = await aUser();
    for (const wrong of [merchantId, null, 'mer_unknown'])
      expect(await refusalOf({ merchantId: wrong, email, now: anInstant() })).toBe('login_refused');
  });

  test('of who has accounts at two merchants goes to the one that is named', async () => {
    const first = await aUser();
    const second = await aUser();
    await database.admin.query('UPDATE users SET email = $2 WHERE id = $1', [second.userId, first.email]);
    const { merchantId, userId } = second;
    expect(await tryLogin({ merchantId, email: first.email, now: anInstant() })).toMatchObject({ merchantId, userId });
  });

  test('is refused in the same words for an unknown user, a wrong password, an invited and a suspended user', async () => {
    const { merchantId, email } = await aUser();
    const invited = await aUser({ merchantId });
    await database.admin.query(`UPDATE users SET status = 'invited', password_hash = NULL WHERE id = $1`, [
      invited.userId,
    ]);
    const suspended = await aUser({ merchantId });
    await database.admin.query(`UPDATE users SET status = 'suspended' WHERE id = $1`, [suspended.userId]);
    const now = anInstant();
    const wrong = 'a wrong password';
    const problems = await Promise.all([
      problemOf({ merchantId, email: 'nobody@example.com', now }),
      problemOf({ merchantId: 'mer_unknown', email, now }),
      problemOf({ merchantId, email, password: wrong, now }),
      problemOf({ merchantId, email: invited.email, now }),
      problemOf({ merchantId, email: suspended.email, password: wrong, now }),
    ]);
    const shown = problems.map((problem) => [
      problem?.code,
      problem?.detail,
      problem?.errors,
      problem?.headers,
      problem?.members,
    ]);
    expect(new Set(shown.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(problems[0]?.code).toBe('login_refused');
  });

  test('with the right password learns that the user or the merchant is suspended', async () => {
    const user = await aUser();
    const { merchantId, email } = await aUser();
    await database.admin.query(`UPDATE users SET status = 'suspended' WHERE id = $1`, [user.userId]);
    await database.admin.query(`UPDATE merchants SET status = 'suspended' WHERE id = $1`, [merchantId]);
    const now = anInstant();
    expect(await refusalOf({ merchantId: user.merchantId, email: user.email, now })).toBe('user_suspended');
    expect(await refusalOf({ merchantId, email, now })).toBe('merchant_suspended');
    expect(await refusalOf({ merchantId, email, password: 'a wrong password', now })).toBe('login_refused');
  });

  test('with a hash of another cost keeps a new one, by which the password is right as well', async () => {
    const { merchantId, userId, email } = await aUser();
    const old = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'; // "password"
    await database.admin.query('UPDATE users SET password_hash = $2 WHERE id = $1', [userId, old]);
    const given = { merchantId, email, password: 'password', now: anInstant() };
    expect(await refusalOf(given)).toBeNull();
    expect(await hashOf(userId)).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await refusalOf(given)).toBeNull();
  });
});

test('a login whose password was changed, or whose user was suspended, while it was judged is none', async () => {
  const { userId } = await aUser();
  const from = { addressHash: 'an address', now: anInstant() };
  const passwordHash = await hashOf(userId);
  expect(await recordLogin(database.db, userId, { ...from, passwordHash: 'of the former password' })).toBe(false);
  expect(await recordLogin(database.db, userId, { ...from, passwordHash })).toBe(true);
  await database.admin.query(`UPDATE users SET status = 'suspended' WHERE id = $1`, [userId]);
  expect(await recordLogin(database.db, userId, { ...from, passwordHash })).toBe(false);
});

test('a login that finds too many passwords waiting to be hashed is to come back, and does not count as a failure', async () => {
  const { merchantId, userId, email } = await aUser();
  const [address, now] = [anAddress(), anInstant()];
  const cheap = await hashOf(userId);
  const crowded = new AbortController();
  const crowd = Array.from({ length: 102 }, async () => {
    while (!crowded.signal.aborted) await checkPassword('a password', cheap).catch(() => immediate());
  });
  const refusals: (string | null)[] = [];
  for (let i = 0; i < 7; i++) refusals.push(await refusalOf({ merchantId, email, address, now }));
  crowded.abort();
  await Promise.all(crowd);
  expect(refusals).toEqual(all('unavailable', 7));
  expect(await failOften({ merchantId, email, now }, 5, () => address)).toEqual(all('login_refused', 5));
});

describe('whoever fails too often', () => {
  test('five times from one address is locked out there for 15 minutes, with the right password too', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    const given = { merchantId, email, address, now };
    expect(await failOften(given, 5, () => address)).toEqual(all('login_refused', 5));
    const locked = await problemOf(given);
    expect(locked).toMatchObject({ code: 'login_locked', headers: { 'Retry-After': '900' } });
    expect(await refusalOf({ ...given, now: later(now, 15 * minuteMs - 1) })).toBe('login_locked');
    expect(await refusalOf({ ...given, now: later(now, 15 * minuteMs) })).toBeNull();
  });

  test('is locked out for 15 minutes from the last failure, and not from the first', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    const given = { merchantId, email, address };
    await failOften({ ...given, now }, 4, () => address);
    const last = later(now, 10 * minuteMs);
    await failOften({ ...given, now: last }, 1, () => address);
    const end = later(last, 15 * minuteMs);
    expect(await refusalOf({ ...given, now: later(end, -1) })).toBe('login_locked');
    expect(await refusalOf({ ...given, now: end })).toBeNull();
  });

  test('now and then is not locked out: a failure counts for 15 minutes', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    await failOften({ merchantId, email, now }, 4, () => address);
    const afterwards = { merchantId, email, now: later(now, 15 * minuteMs) };
    expect(await failOften(afterwards, 4, () => address)).toEqual(all('login_refused', 4));
    expect(await refusalOf({ ...afterwards, address })).toBeNull();
  });

  test('has fresh tries after the lock, and not one more than before', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    const given = { merchantId, email, now };
    await failOften(given, 6, () => address);
    const after = { ...given, now: later(now, 15 * minuteMs) };
    expect(await failOften(after, 6, () => address)).toEqual([...all('login_refused', 5), 'login_locked']);
  });

  test('is told so before the password is looked at', async () => {
    const { merchantId, userId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    await failOften({ merchantId, email, now }, 5, () => address);
    await database.admin.query(`UPDATE users SET status = 'suspended' WHERE id = $1`, [userId]);
    expect(await refusalOf({ merchantId, email, address, now })).toBe('login_locked'); // and not user_suspended
  });

  test('for an account that does not exist is locked out just the same', async () => {
    const [address, now] = [anAddress(), anInstant()];
    const given = { merchantId: 'mer_unknown', email: 'Nobody@example.com', now };
    expect(await failOften(given, 6, () => address)).toEqual([...all('login_refused', 5), 'login_locked']);
    expect(await refusalOf({ ...given, email: 'nobody@EXAMPLE.com', address })).toBe('login_locked');
  });

  test('gains nothing by another spelling of the address of mail, or by another address of the same IPv6 network', async () => {
    const { merchantId, email } = await aUser();
    const now = anInstant();
    let tries = 0;
    const spelled = async () => {
      tries += 1;
      const address = `2001:db8:bbbb:1::${tries}`;
      const spelling = tries % 2 === 0 ? email.toUpperCase() : email;
      return refusalOf({ merchantId, email: spelling, password: 'a wrong password', address, now });
    };
    for (let i = 0; i < 5; i++) expect(await spelled()).toBe('login_refused');
    expect(await spelled()).toBe('login_locked');
  });

  test('starts anew after a login', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    const given = { merchantId, email, now };
    for (let round = 0; round < 3; round++) {
      expect(await failOften(given, 4, () => address)).toEqual(all('login_refused', 4));
      expect(await refusalOf({ ...given, address })).toBeNull();
    }
  });

  test('gets no more than five guesses out of fifty at once over two processes', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    const refusals = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        refusalOf(
          { merchantId, email, password: `guess number ${i}`, address, now },
          i % 2 === 0 ? database.db : another,
        ),
      ),
    );
    expect(refusals.filter((code) => code === 'login_refused')).toHaveLength(5);
    expect(refusals.filter((code) => code === 'login_locked')).toHaveLength(45);
    expect(await refusalOf({ merchantId, email, address, now })).toBe('login_locked');
  });

  test('fifty times from one address waits for the hour to end, whatever account it tries', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    for (let i = 0; i < 50; i++) {
      const given = { merchantId, email: `nobody-${i}@example.com`, address, now };
      expect(await refusalOf(given)).toBe('login_refused');
    }
    const given = { merchantId, email, address };
    expect(await problemOf({ ...given, now })).toMatchObject({
      code: 'login_locked',
      headers: { 'Retry-After': '3600' },
    });
    expect(await refusalOf({ ...given, address: anAddress(), now })).toBeNull();
    expect(await refusalOf({ ...given, now: later(now, hourMs) })).toBeNull();
  });
});

describe('others who fail', () => {
  /** Somebody fails thirty times from ever new addresses, so that the account waits there. */
  async function attacked(user: { merchantId: string | null; email: string }, now: Date) {
    const refusals = await failOften({ ...user, now }, 31, anAddress);
    expect(refusals).toEqual([...all('login_refused', 30), 'login_locked']);
  }

  test('from ever new addresses make the account wait there, but not where its owner is known', async () => {
    const { merchantId, email } = await aUser();
    const [home, now] = [anAddress(), anInstant()];
    const owner = { merchantId, email, address: home };
    expect(await refusalOf({ ...owner, now: later(now, -89 * dayMs) })).toBeNull();
    await attacked({ merchantId, email }, now);
    expect(await refusalOf({ merchantId, email, now })).toBe('login_locked'); // right password, strange address
    expect(await refusalOf({ ...owner, now })).toBeNull();
    expect(await refusalOf({ ...owner, address: `::ffff:${home}`, now })).toBeNull();
    expect(await refusalOf({ merchantId, email, now: later(now, hourMs) })).toBeNull();
  });

  test('cannot lock the owner out by staying at one address: its tries end long before the account’s', async () => {
    const { merchantId, email } = await aUser();
    const [address, now] = [anAddress(), anInstant()];
    await failOften({ merchantId, email, now }, 60, () => address);
    expect(await refusalOf({ merchantId, email, now })).toBeNull();
  });

  test('make it wait at an address that was known more than 90 days ago, or to another user', async () => {
    const { merchantId, email } = await aUser();
    const other = await aUser({ merchantId });
    const [home, now] = [anAddress(), anInstant()];
    expect(await refusalOf({ merchantId, email, address: home, now: later(now, -90 * dayMs) })).toBeNull();
    expect(await refusalOf({ merchantId, email: other.email, address: home, now: later(now, -dayMs) })).toBeNull();
    await attacked({ merchantId, email }, now);
    expect(await refusalOf({ merchantId, email, address: home, now })).toBe('login_locked');
  });

  test('do not make other accounts wait', async () => {
    const { merchantId, email } = await aUser();
    const other = await aUser({ merchantId });
    const now = anInstant();
    await attacked({ merchantId, email }, now);
    expect(await refusalOf({ merchantId, email: other.email, now })).toBeNull();
  });

  test('who know an address of the owner by IPv6 are of its network, and its neighbors are not', async () => {
    const { merchantId, email } = await aUser();
    const now = anInstant();
    await refusalOf({ merchantId, email, address: '2001:db8:aaaa:1::1', now });
    await attacked({ merchantId, email }, now);
    expect(await refusalOf({ merchantId, email, address: '2001:db8:aaaa:1:ffff::9', now })).toBeNull();
    expect(await refusalOf({ merchantId, email, address: '2001:db8:aaaa:2::1', now })).toBe('login_locked');
  });
});

test('thirty logins one after another from new addresses are none of them a failure', async () => {
  const { merchantId, email } = await aUser();
  const now = anInstant();
  for (let i = 0; i < 31; i++) expect(await refusalOf({ merchantId, email, now })).toBeNull();
});

test('what is counted names neither account nor address', async () => {
  const { merchantId, email, userId } = await aUser();
  const [address, now] = ['198.51.100.77', anInstant()];
  await failOften({ merchantId, email, now }, 2, () => address);
  await refusalOf({ merchantId, email, address, now });
  await failOften({ merchantId, email: 'canary@example.com', now }, 2, () => address);
  const throttles = await database.admin.query<{ key: string }>('SELECT key FROM login_throttles');
  const known = await database.admin.query('SELECT address_hash FROM login_addresses WHERE user_id = $1', [userId]);
  for (const { key } of throttles.rows) expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(known.rows).toEqual([{ address_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string }]);
});
