import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { inviteUser } from '../../prisma/users.ts';
import { callApi, type List, readAll } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { type SessionOf, sessionFor, testAccessTokens, testPassword } from '../support/session.ts';

const accessTokens = testAccessTokens();
const { database, api } = apiUnderTest({ accessTokens });

interface UserObject {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: string;
  readonly status: string;
  readonly has_totp: boolean;
  readonly invited_by: string;
  readonly invitation_expires_at: string | null;
  readonly invitation_token?: string;
  readonly created_at: string;
}

const users = '/api/v1/users';
const aMerchant = () => `mer_${randomUUID()}`;
const anEmail = () => `${randomUUID()}@example.com`;
const session = (merchantId: string, role: string, others: Partial<SessionOf> = {}) =>
  sessionFor(database.db, accessTokens, { merchantId, role, isTest: false, ...others });

/** A merchant with one owner. */
async function anOwner() {
  const merchantId = aMerchant();
  return { merchantId, ...(await session(merchantId, 'owner')) };
}

const call = <Body = { data: UserObject }>(token: string | null, method: string, path: string, body?: unknown) =>
  callApi<Body>(api.url, token, { method, path, body });

async function invite(token: string, body: unknown, idempotencyKey = randomUUID() as string) {
  const response = await fetch(`${api.url}${users}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey,
    },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { data: UserObject; code?: string };
  return { status: response.status, headers: response.headers, user: answer.data, code: answer.code };
}

const accept = (token: string | undefined, others: Record<string, unknown> = {}) =>
  call(null, 'POST', '/api/v1/auth/invitations/accept', {
    invitation_token: token,
    password: testPassword,
    ...others,
  });

const change = (token: string, userId: string, body: unknown) => call(token, 'PUT', `${users}/${userId}`, body);
const actsOn = async (userId: string) =>
  (
    await database.admin.query<{ action: string; user_id: string; request_data: unknown }>(
      `SELECT action, user_id, request_data FROM audit_logs WHERE resource_id = $1 AND action LIKE 'user.%' ORDER BY created_at`,
      [userId],
    )
  ).rows;

test('a session of test mode manages nobody: who logs in live would be its doing', async () => {
  const { merchantId, token } = await anOwner();
  const { userId } = await session(merchantId, 'support');
  const inTest = await session(merchantId, 'owner', { isTest: true });
  expect((await invite(inTest.token, { email: anEmail(), role: 'admin' })).code).toBe('wrong_mode');
  expect((await change(inTest.token, userId, { role: 'admin' })).problem.code).toBe('wrong_mode');
  expect((await call(token, 'GET', `${users}/${userId}`)).body.data.role).toBe('support');
});

describe('an invitation', () => {
  test('makes a user whose token is shown once, and accepting it makes them active', async () => {
    const owner = await anOwner();
    const email = anEmail();
    const made = await invite(owner.token, { email, role: 'finance', name: 'Ada' });
    expect(made.status).toBe(201);
    expect(made.user).toMatchObject({
      email,
      name: 'Ada',
      role: 'finance',
      status: 'invited',
      has_totp: false,
      invited_by: `user:${owner.userId}`,
    });
    expect(made.user.id).toMatch(/^usr_[0-9a-z]{26}$/);
    expect(made.headers.get('location')).toBe(`${users}/${made.user.id}`);
    const { invitation_token: token } = made.user;
    expect(token).toMatch(/^poi_[0-9a-hjkmnp-tv-z]{32}$/);
    const daysLeft = (Date.parse(made.user.invitation_expires_at ?? '') - Date.now()) / 86_400_000;
    expect(daysLeft).toBeGreaterThan(6.9);
    expect(daysLeft).toBeLessThanOrEqual(7);
    const read = await call(owner.token, 'GET', `${users}/${made.user.id}`);
    expect(read.body.data).toEqual({ ...made.user, invitation_token: undefined });
    const accepted = await accept(token, { name: 'Ada King' });
    expect(accepted.status).toBe(200);
    expect(accepted.body.data).toMatchObject({
      id: made.user.id,
      status: 'active',
      name: 'Ada King',
      invitation_expires_at: null,
    });
    expect(JSON.stringify(accepted.body)).not.toMatch(/poi_|argon2|hash/);
  });

  test('is kept as a hash alone', async () => {
    const { token: owner } = await anOwner();
    const { user } = await invite(owner, { email: anEmail(), role: 'support' });
    const { rows } = await database.admin.query('SELECT * FROM users WHERE id = $1', [user.id]);
    expect(JSON.stringify(rows)).not.toContain(user.invitation_token);
    expect(JSON.stringify(rows)).not.toContain(user.invitation_token?.slice(4));
  });

  test('is answered again without its token when the request is repeated, and refused with another body', async () => {
    const { token } = await anOwner();
    const body = { email: anEmail(), role: 'developer' };
    const key = randomUUID();
    const first = await invite(token, body, key);
    const again = await invite(token, body, key);
    expect(again.status).toBe(201);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.user).toEqual({ ...first.user, invitation_token: undefined });
    expect((await accept(first.user.invitation_token)).status).toBe(200);
    const later = await invite(token, body, key);
    expect(later.user).toMatchObject({ id: first.user.id, status: 'active' });
    const { user: other } = await invite(token, { email: anEmail(), role: 'support' }, 'one key');
    for (const changed of [
      { email: anEmail(), role: 'support' },
      { email: other.email, role: 'finance' },
      { email: other.email, role: 'support', name: 'Ada' },
    ])
      expect(await invite(token, changed, 'one key')).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
  });

  test('that replaces another one is repeatable too: the token that its answer showed stays good, and no other is shown', async () => {
    const { token } = await anOwner();
    const email = anEmail();
    const [earlier, body] = [
      { email, role: 'developer' },
      { email, role: 'finance' },
    ];
    const first = await invite(token, earlier, 'the first');
    const second = await invite(token, body, 'the second');
    const again = await invite(token, body, 'the second');
    expect(again).toMatchObject({ status: 201, user: { id: first.user.id, role: 'finance' } });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.user).toEqual({ ...second.user, invitation_token: undefined });
    expect(await invite(token, earlier, 'the second')).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    expect(await invite(token, earlier, 'the first'), 'it was replaced').toMatchObject({ status: 422 });
    const acts = (await actsOn(first.user.id)).map(({ action, request_data: data }) => [action, data]);
    expect(acts).toEqual([
      ['user.invited', { role: 'developer', is_repeated: false }],
      ['user.invited', { role: 'finance', is_repeated: true }],
    ]);
    expect((await accept(second.user.invitation_token)).body.data).toMatchObject({ role: 'finance', status: 'active' });
  });

  test('of one request sent ten times at once makes one user and shows one token', async () => {
    const { token } = await anOwner();
    const body = { email: anEmail(), role: 'support' };
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 10 }, () => invite(token, body, key)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 201));
    expect(new Set(answers.map(({ user }) => user.id)).size).toBe(1);
    expect(answers.filter(({ user }) => user.invitation_token !== undefined)).toHaveLength(1);
  });

  test('of somebody who has not accepted is replaced by the next one, whose role counts', async () => {
    const { token } = await anOwner();
    const email = anEmail();
    const first = await invite(token, { email, role: 'developer', name: 'Ada' });
    const second = await invite(token, { email: email.toUpperCase(), role: 'finance' });
    expect(second).toMatchObject({ status: 201, user: { id: first.user.id, role: 'finance', name: 'Ada' } });
    expect((await accept(first.user.invitation_token)).problem.code).toBe('invitation_refused');
    expect((await accept(second.user.invitation_token)).body.data).toMatchObject({ role: 'finance', status: 'active' });
  });

  test('of somebody who is a user already is refused, however the address is written; another merchant may invite them', async () => {
    const { merchantId, token } = await anOwner();
    const { email, userId } = await session(merchantId, 'support');
    expect(await invite(token, { email: email.toUpperCase(), role: 'support' })).toMatchObject({
      status: 409,
      code: 'email_taken',
    });
    await change(token, userId, { status: 'suspended' });
    expect((await invite(token, { email, role: 'support' })).code).toBe('email_taken');
    const other = await anOwner();
    expect((await invite(other.token, { email, role: 'support' })).status).toBe(201);
  });

  test('is accepted once: of two at once, with different passwords, one wins', async () => {
    const { token } = await anOwner();
    const { user } = await invite(token, { email: anEmail(), role: 'support' });
    const answers = await Promise.all(
      ['first password of two', 'second password of two'].map((password) =>
        accept(user.invitation_token, { password }),
      ),
    );
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(['200', '401']);
    expect((await accept(user.invitation_token)).problem.code).toBe('invitation_refused');
    expect((await actsOn(user.id)).map(({ action }) => action)).toEqual(['user.invited', 'user.accepted']);
  });

  test.each([
    ['too short', 'short', /at least 12/],
    ['too long', 'a'.repeat(201), /at most 200/],
    ['the mail address', 'EMAIL', /must not be/],
    ['the name that was given with the invitation', 'Augusta Ada King', /must not be/],
  ])('is not accepted with a password that is %s, and stays open', async (_, password, reason) => {
    const { token } = await anOwner();
    const email = anEmail();
    const { user } = await invite(token, { email, role: 'support', name: 'Augusta Ada King' });
    const answer = await accept(user.invitation_token, {
      password: password === 'EMAIL' ? email.toUpperCase() : password,
    });
    expect(answer.status).toBe(422);
    expect(answer.problem.errors).toEqual([{ pointer: '/password', detail: expect.stringMatching(reason) as string }]);
    expect((await accept(user.invitation_token)).status).toBe(200);
  });

  test.each([
    ['unknown', 'poi_00000000000000000000000000000000'],
    ['no token at all', 'x'],
  ])('that is %s is refused', async (_, token) => {
    expect((await accept(token)).problem).toMatchObject({ status: 401, code: 'invitation_refused' });
  });

  test('that has expired is refused, and so is one of a suspended user or merchant', async () => {
    const { merchantId, token } = await anOwner();
    const { user } = await invite(token, { email: anEmail(), role: 'support' });
    const expire = (instant: string) =>
      database.admin.query('UPDATE users SET invitation_expires_at = $2 WHERE id = $1', [user.id, instant]);
    await expire('2020-01-01');
    expect((await accept(user.invitation_token)).problem.code).toBe('invitation_refused');
    await expire('2099-01-01');
    await change(token, user.id, { status: 'suspended' });
    expect((await accept(user.invitation_token)).problem.code).toBe('invitation_refused');
    expect((await change(token, user.id, { status: 'active' })).body.data.status).toBe('invited');
    await database.admin.query(`UPDATE merchants SET status = 'suspended' WHERE id = $1`, [merchantId]);
    expect((await accept(user.invitation_token)).problem.code).toBe('merchant_suspended');
    await database.admin.query(`UPDATE merchants SET status = 'active' WHERE id = $1`, [merchantId]);
    expect((await accept(user.invitation_token)).status).toBe(200);
  });

  test('to the platform is made by the repository alone, and accepted like any other', async () => {
    const by = { actor: 'cli', correlationId: 'test', at: new Date() };
    const id = `usr_${'0'.repeat(26)}`;
    const { hash, text } = await testInvitation();
    const invitation = {
      id,
      email: anEmail(),
      name: null,
      role: 'operator',
      invitationHash: hash,
      expiresAt: in7Days(),
      request: null,
    };
    expect(await inviteUser(database.db, null, invitation, by)).toMatchObject({ kind: 'invited' });
    expect(await inviteUser(database.db, null, { ...invitation, id: 'usr_another' }, by)).toMatchObject({
      kind: 'invited',
      user: { id },
    });
    const owner = await anOwner();
    expect((await call(owner.token, 'GET', `${users}/${id}`)).status).toBe(404);
    expect((await accept(text)).body.data).toMatchObject({ id, role: 'operator', status: 'active' });
    expect(await inviteUser(database.db, null, { ...invitation, id: 'usr_another' }, by)).toEqual({
      kind: 'email_taken',
    });
  });

  test.each(['operator', 'auditor', 'nobody', 'Owner', ''])('to the role "%s" is refused', async (role) => {
    const { token } = await anOwner();
    expect(await invite(token, { email: anEmail(), role })).toMatchObject({ status: 422, code: 'validation_failed' });
  });
});

const in7Days = () => new Date(Date.now() + 7 * 86_400_000);

/** An invitation with the pepper of the API under test, which nobody outside it knows: taken from one that it made. */
async function testInvitation(): Promise<{ hash: string; text: string }> {
  const { token } = await anOwner();
  const { user } = await invite(token, { email: anEmail(), role: 'support' });
  const { rows } = await database.admin.query<{ invitation_hash: string }>(
    'SELECT invitation_hash FROM users WHERE id = $1',
    [user.id],
  );
  await database.admin.query('UPDATE users SET invitation_hash = NULL WHERE id = $1', [user.id]);
  return { hash: rows[0]?.invitation_hash ?? '', text: user.invitation_token ?? '' };
}

describe('nobody gives more than they have', () => {
  test('an admin invites and promotes to any role but owner', async () => {
    const { merchantId } = await anOwner();
    const { token } = await session(merchantId, 'admin');
    const { userId } = await session(merchantId, 'support');
    expect((await invite(token, { email: anEmail(), role: 'admin' })).status).toBe(201);
    expect(await invite(token, { email: anEmail(), role: 'owner' })).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await change(token, userId, { role: 'admin' })).status).toBe(200);
    expect((await change(token, userId, { role: 'owner' })).problem.code).toBe('forbidden');
  });

  test('an admin cannot demote, suspend, rename or re-invite an owner', async () => {
    const owner = await anOwner();
    const { token } = await session(owner.merchantId, 'admin');
    const another = await session(owner.merchantId, 'owner');
    for (const body of [{ role: 'admin' }, { status: 'suspended' }, { name: 'x' }])
      expect((await change(token, another.userId, body)).problem.code).toBe('forbidden');
    const email = anEmail();
    await invite(owner.token, { email, role: 'owner' });
    expect((await invite(token, { email, role: 'support' })).code).toBe('forbidden');
    expect((await invite(owner.token, { email, role: 'support' })).user.role).toBe('support');
  });

  test('a session with fewer permissions than its role gives no role that needs more', async () => {
    const merchantId = aMerchant();
    const { token } = await session(merchantId, 'owner', {
      permissions: [
        'users:write',
        'payments:read',
        'refunds:read',
        'events:read',
        'customers:read',
        'merchant:read',
        'ledger:read',
        'plans:read',
        'subscriptions:read',
        'invoices:read',
        'batches:read',
      ],
    });
    expect((await invite(token, { email: anEmail(), role: 'read_only' })).status).toBe(201);
    expect((await invite(token, { email: anEmail(), role: 'finance' })).code).toBe('forbidden');
    expect((await invite(token, { email: anEmail(), role: 'owner' })).code).toBe('forbidden');
  });

  test.each(['developer', 'finance', 'support', 'read_only'])('%s neither sees nor manages users', async (role) => {
    const { merchantId, userId } = await anOwner();
    const { token } = await session(merchantId, role);
    expect((await call(token, 'GET', users)).problem.code).toBe('forbidden');
    expect((await call(token, 'GET', `${users}/${userId}`)).problem.code).toBe('forbidden');
    expect((await invite(token, { email: anEmail(), role: 'read_only' })).code).toBe('forbidden');
    expect((await change(token, userId, { name: 'x' })).problem.code).toBe('forbidden');
  });

  test('no key manages users; one that was given the permission all the same touches no owner', async () => {
    const { merchantId, userId } = await anOwner();
    expect((await call(await api.keyFor(merchantId), 'GET', users)).problem.code).toBe('forbidden');
    const strange = await api.keyFor(merchantId, { isTest: false, permissions: ['users:write', 'users:read'] });
    expect((await change(strange, userId, { status: 'suspended' })).problem.code).toBe('forbidden');
    expect((await invite(strange, { email: anEmail(), role: 'owner' })).code).toBe('forbidden');
    expect((await invite(strange, { email: anEmail(), role: 'read_only' })).code).toBe('forbidden');
  });
});

describe('a change', () => {
  test('of role, state and name is answered and written down without the name; the same again is not', async () => {
    const { merchantId, token, userId: ownerId } = await anOwner();
    const { userId } = await session(merchantId, 'support', { name: 'Before' });
    const body = { role: 'finance', name: 'Augusta' };
    expect((await change(token, userId, body)).body.data).toMatchObject({ ...body, status: 'active' });
    await change(token, userId, body);
    await change(token, userId, {});
    expect((await change(token, userId, { name: null })).body.data.name).toBeNull();
    expect(await actsOn(userId)).toEqual([
      {
        action: 'user.changed',
        user_id: `user:${ownerId}`,
        request_data: { role: { from: 'support', to: 'finance' }, name: 'changed' },
      },
      { action: 'user.changed', user_id: `user:${ownerId}`, request_data: { name: 'changed' } },
    ]);
  });

  test('of the role holds for the next request of an open session', async () => {
    const { merchantId, token } = await anOwner();
    const { userId, token: theirs } = await session(merchantId, 'admin');
    expect((await call(theirs, 'GET', users)).status).toBe(200);
    await change(token, userId, { role: 'support' });
    await expect.poll(async () => (await call(theirs, 'GET', users)).status).toBe(403);
  });

  test('to suspended ends every session, and activating opens none of them again', async () => {
    const { merchantId, token } = await anOwner();
    const first = await session(merchantId, 'admin');
    const second = await session(merchantId, 'admin', { userId: first.userId });
    const other = await session(merchantId, 'admin');
    expect((await call(first.token, 'GET', users)).status).toBe(200);
    expect((await change(token, first.userId, { status: 'suspended' })).body.data.status).toBe('suspended');
    for (const ended of [first, second])
      await expect.poll(async () => (await call(ended.token, 'GET', users)).status).toBe(403);
    expect((await call(first.token, 'GET', users)).problem.code).toBe('user_suspended');
    expect((await change(token, first.userId, { status: 'active' })).body.data.status).toBe('active');
    expect((await call(first.token, 'GET', users)).problem.code).toBe('token_revoked');
    expect((await call(other.token, 'GET', users)).status).toBe(200);
  });

  test('that would leave no active owner is refused; with a second owner it is not', async () => {
    const { merchantId, token, userId } = await anOwner();
    for (const body of [{ role: 'admin' }, { status: 'suspended' }, { role: 'support', status: 'active' }])
      expect((await change(token, userId, body)).problem).toMatchObject({ status: 409, code: 'last_owner' });
    expect((await change(token, userId, { name: 'Renamed', role: 'owner', status: 'active' })).status).toBe(200);
    await invite(token, { email: anEmail(), role: 'owner' });
    expect((await change(token, userId, { role: 'admin' })).problem.code).toBe('last_owner'); // who is invited is none yet
    const suspended = await session(merchantId, 'owner');
    await change(token, suspended.userId, { status: 'suspended' });
    expect((await change(token, userId, { role: 'admin' })).problem.code).toBe('last_owner');
    await change(token, suspended.userId, { status: 'active' });
    expect((await change(token, userId, { role: 'admin' })).status).toBe(200);
  });

  test('two owners who demote or suspend each other at once leave one owner, always', async () => {
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      const first = await anOwner();
      const second = await session(first.merchantId, 'owner');
      const [ofSecond, ofFirst] = [{ role: 'admin' }, { status: 'suspended' }];
      const answers = await Promise.all([
        change(first.token, second.userId, ofSecond),
        change(second.token, first.userId, ofFirst),
      ]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const { rows } = await database.admin.query(
        `SELECT id FROM users WHERE merchant_id = $1 AND role = 'owner' AND status = 'active'`,
        [first.merchantId],
      );
      expect(rows).toHaveLength(1);
    }
  });

  test('two owners who step down at once leave one owner', async () => {
    const first = await anOwner();
    const second = await session(first.merchantId, 'owner');
    const answers = await Promise.all(
      [first, second].map(({ token, userId }) => change(token, userId, { role: 'developer' })),
    );
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(['200', '409']);
  });

  test.each([
    ['a mail address', { email: 'other@example.com' }],
    ['an id', { id: 'usr_1' }],
    ['a merchant', { merchant_id: 'mer_1' }],
    ['a password', { password_hash: 'x' }],
    ['a second factor', { has_totp: true }],
    ['the state of invited people', { status: 'invited' }],
    ['a role of the platform', { role: 'operator' }],
    ['a blank name', { name: ' ' }],
  ])('of %s is refused', async (_, body) => {
    const { merchantId, token } = await anOwner();
    const { userId } = await session(merchantId, 'support');
    expect((await change(token, userId, body)).problem).toMatchObject({ status: 422, code: 'validation_failed' });
  });
});

describe('users of another merchant', () => {
  test('are not found, not listed and not changed', async () => {
    const mine = await anOwner();
    const other = await anOwner();
    const theirs = await session(other.merchantId, 'support');
    for (const id of [theirs.userId, other.userId, `usr_${'0'.repeat(26)}`, 'usr_', 'x']) {
      expect((await call(mine.token, 'GET', `${users}/${id}`)).problem).toMatchObject({
        status: 404,
        code: 'not_found',
      });
      expect((await change(mine.token, id, { status: 'suspended' })).problem.code).toBe('not_found');
    }
    const listed = await readAll<UserObject>(api.url, mine.token, users);
    expect(listed.map(({ id }) => id)).toEqual([mine.userId]);
  });

  test('the same idempotency key of two merchants makes two users', async () => {
    const [mine, other] = [await anOwner(), await anOwner()];
    const body = { email: anEmail(), role: 'support' };
    const made = await Promise.all([mine, other].map(({ token }) => invite(token, body, 'the same')));
    expect(made.map(({ status }) => status)).toEqual([201, 201]);
    expect(made[0]?.user.id).not.toBe(made[1]?.user.id);
  });
});

test('the list is paged newest first, without gaps, also where many were made at the same instant', async () => {
  const { merchantId, token, userId } = await anOwner();
  const others = [];
  for (let i = 0; i < 7; i++) others.push((await session(merchantId, 'support')).userId);
  await database.admin.query(`UPDATE users SET created_at = '2026-01-01' WHERE merchant_id = $1 AND id <> $2`, [
    merchantId,
    userId,
  ]);
  const first = await call<List<UserObject>>(token, 'GET', `${users}?limit=3`);
  expect(first.body).toMatchObject({ has_more: true, data: [{ id: userId }, {}, {}] });
  const all = await readAll<UserObject>(api.url, token, users, { limit: 3 });
  expect(all.map(({ id }) => id)).toEqual([userId, ...others.toSorted().toReversed()]);
  const strange = await call<List<UserObject>>(
    (await anOwner()).token,
    'GET',
    `${users}?cursor=${first.body.next_cursor}`,
  );
  expect(strange.problem.code).toBe('validation_failed');
});

describe('a password', () => {
  /** A user with this password, logged in twice. */
  async function somebody() {
    const { merchantId } = await anOwner();
    const mine = await session(merchantId, 'admin');
    const elsewhere = await session(merchantId, 'admin', { userId: mine.userId });
    return { ...mine, elsewhere };
  }
  const changePassword = (token: string, current: string, wanted: string) =>
    call<{ data: unknown }>(token, 'PUT', '/api/v1/auth/password', { current_password: current, new_password: wanted });

  test('is changed by who knows it, which ends the other sessions and not this one', async () => {
    const { userId, token, elsewhere } = await somebody();
    const answer = await changePassword(token, testPassword, 'another good password');
    expect(answer).toMatchObject({ status: 200, body: { data: { changed: true } } });
    await expect.poll(async () => (await call(elsewhere.token, 'GET', users)).status).toBe(401);
    expect((await call(token, 'GET', users)).status).toBe(200);
    expect((await changePassword(token, testPassword, 'yet another password')).problem.code).toBe('validation_failed');
    expect((await actsOn(userId)).map(({ action }) => action)).toEqual(['user.password_changed']);
  });

  test('is not changed by who does not, and five wrong guesses lock the sixth out, right or wrong', async () => {
    const { token } = await somebody();
    for (let guess = 0; guess < 5; guess++) {
      const answer = await changePassword(token, `guess number ${guess}`, 'another good password');
      expect(answer.problem.errors).toEqual([{ pointer: '/current_password', detail: 'is not your password' }]);
    }
    const locked = await changePassword(token, testPassword, 'another good password');
    expect(locked.problem).toMatchObject({ status: 429, code: 'login_locked' });
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(800);
  });

  test('that breaks the rules is refused before the current one is looked at', async () => {
    const { token, email } = await somebody();
    for (const wanted of ['short', email])
      expect((await changePassword(token, testPassword, wanted)).problem.errors?.[0]?.pointer).toBe('/new_password');
  });

  test('is changed once by two requests at once', async () => {
    const { token } = await somebody();
    const answers = await Promise.all(
      ['first password of two', 'second password of two'].map((wanted) => changePassword(token, testPassword, wanted)),
    );
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(['200', '422']);
  });

  test('is for people: a key has none', async () => {
    const key = await api.keyFor(aMerchant());
    for (const text of [key, await api.operatorKey()])
      expect((await changePassword(text, testPassword, 'another good password')).problem).toMatchObject({
        status: 403,
        code: 'forbidden',
      });
  });
});

test('no mail address, name, token or password stands in the log or in audit_logs', async () => {
  const { merchantId, token } = await anOwner();
  const email = `canary.${randomUUID()}@example.com`;
  const name = `Canary ${randomUUID()}`;
  const { user } = await invite(token, { email, role: 'admin', name });
  const password = `canary ${randomUUID()}`;
  await accept(user.invitation_token, { password });
  const theirs = await session(merchantId, 'admin', { userId: user.id });
  await call(theirs.token, 'PUT', '/api/v1/auth/password', {
    current_password: password,
    new_password: `${password}2`,
  });
  await change(token, user.id, { name: `${name} again`, role: 'support' });
  await change(token, user.id, { status: 'suspended' });
  const { rows } = await database.admin.query('SELECT * FROM audit_logs');
  expect(await actsOn(user.id)).not.toEqual([]);
  for (const secret of [email, name, password, user.invitation_token ?? 'none']) {
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(api.log()).not.toContain(secret);
  }
});
