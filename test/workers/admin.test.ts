import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { platformRoles } from '../../api/permissions.ts';
import { findApiKey, findOperatorKey, findSession } from '../../prisma/credentials.ts';
import { giveUpDelivery } from '../../prisma/deliveries.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { disableWebhookEndpoint } from '../../prisma/webhook-endpoints.ts';
import { isSecret, parseKey } from '../../runtime/api-key.ts';
import { invitationHash } from '../../runtime/invitation.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { deliveriesOf, insertEndpoint, insertEvent } from '../support/deliveries.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';

const pepper = 'a pepper of at least thirty-two characters';
let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
});
afterAll(() => database?.close());

async function admin<T>(...args: string[]): Promise<T> {
  const program = join(import.meta.dirname, '../../workers/admin.ts');
  const env = { ...process.env, DATABASE_URL: database.url, API_KEY_PEPPER: pepper };
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], { env });
  return JSON.parse(stdout) as T;
}

const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'it worked',
    (error: unknown) => (error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)),
  );

const actsOn = async (resourceId: string) =>
  (
    await database.admin.query<{
      action: string;
      user_id: string;
      service_name: string;
      request_data: Record<string, unknown>;
    }>(
      'SELECT action, user_id, service_name, request_data FROM audit_logs WHERE resource_id = $1 ORDER BY created_at, id',
      [resourceId],
    )
  ).rows;
const namesOf = async (resourceId: string) => (await actsOn(resourceId)).map(({ action }) => action);

test('a merchant, its key and its settings are made by command, and the key opens what it says', async () => {
  const { id } = await admin<{ id: string }>('create-merchant', 'Bookshop');
  const made = await admin<{ key_id: string; api_key: string }>('create-api-key', id, '--live', '--name', 'shop');
  const key = parseKey(made.api_key);
  expect(key).toMatchObject({ kind: 'live', keyId: made.key_id });
  const stored = await findApiKey(database.db, made.key_id);
  expect(stored).toMatchObject({ merchantId: id, isTest: false, status: 'active' });
  expect(isSecret(key?.secret ?? '', stored?.secretHash ?? '', pepper)).toBe(true);
  expect(JSON.stringify(stored)).not.toContain(key?.secret);

  const settings = await admin<Record<string, number>>('change-settings', id, '{"expires_after":600}');
  expect(settings).toMatchObject({ expires_after: 600, ask_for: 86_400, wait: 10, payer_emails: true });
  expect((await findApiKey(database.db, made.key_id))?.settings.expires_after).toBe(600);

  expect(await admin<unknown>('revoke-api-key', made.key_id)).toEqual({ revoked: true });
  expect((await findApiKey(database.db, made.key_id))?.status).toBe('revoked');

  expect(await messageOf(admin('revoke-api-key', made.key_id))).toContain(`There is no active key ${made.key_id}`);

  const acts = [...(await actsOn(id)), ...(await actsOn(`key_${made.key_id}`))];
  expect(acts.map(({ action, user_id, service_name }) => [action, user_id, service_name])).toEqual([
    ['merchant.created', 'cli', 'admin'],
    ['merchant.changed', 'cli', 'admin'],
    ['api_key.created', 'cli', 'admin'],
    ['api_key.revoked', 'cli', 'admin'],
  ]);
});

test('settings that are not allowed change nothing and are named', async () => {
  const { id } = await admin<{ id: string }>('create-merchant', 'Bakery');
  expect(await messageOf(admin('change-settings', id, '{"expires_after":1}'))).toContain('expires_after');
  expect(await messageOf(admin('change-settings', id, '{"expires":600}'))).toContain('expires');
  expect(await messageOf(admin('change-settings', 'mer_nobody', '{"wait":5}'))).toContain(
    'There is no merchant mer_nobody: list-merchants shows all.',
  );
  const row = await database.db.prisma.merchant.findUniqueOrThrow({ where: { id } });
  expect(row.settings).toEqual({});
});

test('a merchant is suspended and activated by command', async () => {
  const { id } = await createMerchant(database.db, { id: 'mer_shop', name: 'Bookshop' });
  expect(await admin<unknown>('suspend-merchant', id)).toEqual({ id, status: 'suspended' });
  expect(await admin<unknown>('activate-merchant', id)).toEqual({ id, status: 'active' });
  expect(await namesOf(id)).toEqual(['merchant.suspended', 'merchant.activated']);
  expect(await messageOf(admin('suspend-merchant', 'mer_nobody'))).toContain('There is no merchant mer_nobody');
});

test('a key has the limits and permissions that the command names, the usual ones without', async () => {
  const { id } = await createMerchant(database.db, { id: 'mer_bakery', name: 'Bakery' });
  const keyWith = async (...options: string[]) =>
    findApiKey(database.db, (await admin<{ key_id: string }>('create-api-key', id, ...options)).key_id);
  const limits = ['--per-minute', '7', '--per-hour', '70', '--permissions', 'payments:read'];
  const [usual, limited, unlimited, ...refused] = await Promise.all([
    keyWith(),
    keyWith(...limits),
    keyWith('--unlimited'),
    messageOf(admin('create-api-key', id, '--per-minute', '0')),
    messageOf(admin('create-api-key', id, '--permissions', 'payments:read,users:write,merchants:read')),
    messageOf(admin('create-api-key', 'mer_nobody')),
  ]);
  expect(usual).toMatchObject({ perMinute: 100, perHour: 1_000, perDay: 10_000, isTest: true });
  expect(limited).toMatchObject({ perMinute: 7, perHour: 70, perDay: 10_000, permissions: ['payments:read'] });
  expect(unlimited).toMatchObject({ perMinute: 1_000_000, perHour: 60_000_000, perDay: 1_000_000_000 });
  expect(refused).toEqual([
    expect.stringContaining('1 to 1000000'),
    expect.stringContaining('users:write, merchants:read: not among'),
    expect.stringContaining('There is no merchant mer_nobody'),
  ]);
});

test('an operator’s key has the permissions that the command names, and ends by command', async () => {
  const [some, all, refused] = await Promise.all([
    admin<{ key_id: string }>('create-operator-key', '--permissions', 'merchants:read,system:read'),
    admin<{ key_id: string }>('create-operator-key'),
    messageOf(admin('create-operator-key', '--permissions', 'payments:write')),
  ]);
  const record = (keyId: string) => findOperatorKey(database.db, keyId);
  expect(await record(some.key_id)).toMatchObject({ permissions: ['merchants:read', 'system:read'] });
  expect((await record(all.key_id))?.permissions.toSorted()).toEqual([...platformRoles.operator].toSorted());
  expect(refused).toContain('not among');
  expect(await admin('revoke-operator-key', some.key_id)).toEqual({ revoked: true });
  const again = await messageOf(admin('revoke-operator-key', some.key_id));
  expect(again).toContain(`There is no active key ${some.key_id}: list-operator-keys`);
  expect(await record(some.key_id)).toMatchObject({ status: 'revoked' });
  expect(await record(all.key_id)).toMatchObject({ status: 'active' });
  expect(await namesOf(`opk_${some.key_id}`)).toEqual(['operator_key.created', 'operator_key.revoked']);
});

test('an operator’s key ends by itself where the command says so, and all of them are listed without their texts', async () => {
  const expires = '2998-01-31T23:59:59+01:00';
  const [made, ...refused] = await Promise.all([
    admin<{ key_id: string; operator_key: string }>('create-operator-key', '--name', 'Ben', '--expires', expires),
    messageOf(admin('create-operator-key', '--expires', '2020-01-01T00:00:00Z')),
    messageOf(admin('create-operator-key', '--expires', 'tomorrow')),
  ]);
  expect((await findOperatorKey(database.db, made.key_id))?.expiresAt).toEqual(new Date(expires));
  expect(refused).toEqual([expect.stringContaining('in the future'), expect.stringContaining('an instant such as')]);
  const listed = await admin<{ key_id: string }[]>('list-operator-keys');
  expect(listed.find(({ key_id: keyId }) => keyId === made.key_id)).toEqual({
    key_id: made.key_id,
    name: 'Ben',
    permissions: expect.arrayContaining(['merchants:write']) as string[],
    status: 'active',
    expires_at: '2998-01-31T22:59:59.000Z',
    last_used_at: null,
    usage_count: 0,
    created_at: expect.any(String) as string,
  });
  const { rows } = await database.admin.query('SELECT key_secret_hash FROM operator_keys');
  const secret = parseKey(made.operator_key)?.secret ?? '';
  for (const hidden of [secret, ...rows.map((row: { key_secret_hash: string }) => row.key_secret_hash)])
    expect(JSON.stringify(listed)).not.toContain(hidden);
});

describe('people', () => {
  const userOf = async (id: string) => (await database.admin.query('SELECT * FROM users WHERE id = $1', [id])).rows[0];

  test('of the platform are invited by command, and the token is kept as a hash alone', async () => {
    const invitation = ['--email', 'ann@example.com', '--name', 'Ann', '--role', 'auditor'];
    const made = await admin<{ user_id: string; invitation_token: string }>('invite-operator', ...invitation);
    const user = await userOf(made.user_id);
    expect(user).toMatchObject({
      merchant_id: null,
      email: 'ann@example.com',
      name: 'Ann',
      role: 'auditor',
      status: 'invited',
      invitation_hash: invitationHash(made.invitation_token, pepper),
    });
    expect(JSON.stringify(user)).not.toContain(made.invitation_token);
    const [act] = await actsOn(made.user_id);
    expect(act).toMatchObject({ action: 'user.invited', user_id: 'cli' });
    expect(JSON.stringify(act), 'no names').not.toMatch(/ann/i);
    expect(await messageOf(admin('invite-operator', '--email', 'bob@example.com', '--role', 'owner'))).toContain(
      'role',
    );
    expect(await messageOf(admin('invite-operator', '--email', 'bob', '--role', 'auditor'))).toContain('--email');
  });

  test('of a merchant are invited anew by command, which voids the token before', async () => {
    const { id } = await createMerchant(database.db, { id: 'mer_books', name: 'Bookshop' });
    const invitation = [id, '--email', 'ada@example.com', '--role', 'owner'];
    const first = await admin<{ user_id: string; invitation_token: string }>('invite-user', ...invitation);
    const second = await admin<{ user_id: string; invitation_token: string }>('invite-user', ...invitation);
    expect(second.user_id).toBe(first.user_id);
    expect(await userOf(first.user_id)).toMatchObject({
      merchant_id: id,
      role: 'owner',
      invitation_hash: invitationHash(second.invitation_token, pepper),
    });
    expect(await messageOf(admin('invite-user', 'mer_nobody', ...invitation.slice(1)))).toContain('mer_nobody');
  });

  test('who are users already are not invited: the message says what to do', async () => {
    const { email } = await sessionFor(database.db, testAccessTokens(), { merchantId: 'mer_taken', role: 'support' });
    const refusal = await messageOf(admin('invite-user', 'mer_taken', '--email', email, '--role', 'owner'));
    expect(refusal).toContain('suspend or change that user, or use another address');
    expect(refusal, 'no addresses').not.toContain(email);
  });

  test('lose their authenticator and their sessions by command', async () => {
    const session = await sessionFor(database.db, testAccessTokens(), { merchantId: null, role: 'operator' });
    await database.admin.query(
      `UPDATE users SET totp_secret = 's', totp_confirmed_at = now(), recovery_code_hashes = '{h}' WHERE id = $1`,
      [session.userId],
    );
    expect(await admin<unknown>('reset-totp', session.userId)).toEqual({ reset: true });
    expect(await userOf(session.userId)).toMatchObject({ totp_secret: null, totp_confirmed_at: null });
    expect(await findSession(database.db, session.sessionId)).toMatchObject({ isRevoked: true });
    expect(await messageOf(admin('reset-totp', 'usr_nobody'))).toContain('There is no user usr_nobody');
    expect(await namesOf(session.userId)).toEqual(['user.totp_reset']);
  });
});

test('people of the platform are suspended, let in again, and given another password by hand', async () => {
  const { userId, sessionId } = await sessionFor(database.db, testAccessTokens(), {
    merchantId: null,
    role: 'operator',
  });
  expect(await admin<unknown[]>('list-operators')).toContainEqual(
    expect.objectContaining({ id: userId, role: 'operator', status: 'active' }),
  );
  expect(await admin<unknown>('suspend-user', userId)).toEqual({ user_id: userId, status: 'suspended' });
  expect(await findSession(database.db, sessionId)).toMatchObject({ isRevoked: true, user: { status: 'suspended' } });
  expect(await messageOf(admin('reset-password', userId))).toContain('activate-user');
  expect(await admin<unknown>('activate-user', userId)).toEqual({ user_id: userId, status: 'active' });
  const { invitation_token: token } = await admin<{ invitation_token: string }>('reset-password', userId);
  const { rows } = await database.admin.query(
    'SELECT status, password_hash, invitation_hash FROM users WHERE id = $1',
    [userId],
  );
  expect(rows).toEqual([{ status: 'invited', password_hash: null, invitation_hash: invitationHash(token, pepper) }]);
  expect(await messageOf(admin('suspend-user', 'usr_nobody'))).toContain('There is no user usr_nobody');
});

test('an operator’s key is no merchant’s key', async () => {
  const made = await admin<{ key_id: string; operator_key: string }>('create-operator-key', '--name', 'Ann');
  expect(parseKey(made.operator_key)?.kind).toBe('operator');
  expect(await findApiKey(database.db, made.key_id)).toBeNull();
});

describe('deliveries that were given up', () => {
  beforeAll(async () => {
    await createMerchant(database.db, { id: 'mer_1', name: 'Tea & Sons' });
  });
  afterEach(async () => {
    await database.admin.query('TRUNCATE deliveries, events, payments, webhook_endpoints, alerts CASCADE');
  });
  const openAlerts = async () =>
    (await database.admin.query('SELECT resource_id FROM alerts WHERE closed_at IS NULL')).rows.map(
      (row: { resource_id: string }) => row.resource_id,
    );

  /** Three given up at one endpoint, one delivered there, one given up at another endpoint, and a mail. */
  async function aMess() {
    const endpoint = await insertEndpoint(database, 'http://127.0.0.1:1/', ['payment.captured']);
    const other = await insertEndpoint(database, 'http://127.0.0.1:1/', ['payment.failed']);
    for (let each = 0; each < 4; each++) await insertEvent(database);
    await insertEvent(database, 'payment.failed', { customer_email: 'ada@example.com' });
    await database.admin.query('UPDATE deliveries SET tries = 9');
    const rows = await deliveriesOf(database);
    const idsTo = (receiver: string) => rows.filter((row) => row.receiver === receiver).map(({ id }) => id);
    const [delivered, ...failed] = idsTo(endpoint.id);
    await database.admin.query(`UPDATE deliveries SET state = 'delivered' WHERE id = $1`, [delivered]);
    for (const { id } of rows) await giveUpDelivery(database.db, id);
    expect(new Set(await openAlerts())).toEqual(new Set([endpoint.id, other.id, 'payers_of_mer_1']));
    return { endpoint: endpoint.id, other: other.id, delivered, failed, mail: idsTo('payers_of_mer_1') };
  }
  const duesOf = async () =>
    (await deliveriesOf(database)).filter(({ state, tries }) => state === 'pending' && tries === 0).map(({ id }) => id);

  test('are due again by the command, those of one endpoint, and their alert is closed', async () => {
    const { endpoint, other, failed } = await aMess();
    expect(await admin<unknown>('redeliver', endpoint)).toEqual({ deliveries: 3, alerts: 1 });
    expect((await duesOf()).toSorted()).toEqual(failed.toSorted());
    expect(new Set(await openAlerts())).toEqual(new Set([other, 'payers_of_mer_1']));
  });

  test('are due again one by one, and mails by their merchant', async () => {
    const { other, failed, delivered, mail } = await aMess();
    const [one = ''] = failed;
    expect(await admin<unknown>('redeliver', one)).toEqual({ deliveries: 1, alerts: 1 });
    expect(await admin<unknown>('redeliver', 'payers_of_mer_1')).toEqual({ deliveries: 1, alerts: 1 });
    expect((await duesOf()).toSorted()).toEqual([one, ...mail].toSorted());
    expect(await openAlerts()).toEqual([other]);
    expect(await admin<unknown>('redeliver', String(delivered)), 'it was delivered').toEqual({
      deliveries: 0,
      alerts: 0,
    });
    expect(await messageOf(admin('redeliver', 'whe_nobody'))).toContain('nothing was given up for whe_nobody');
  });

  test('wait for their endpoint to be enabled, which the command does when it is told to', async () => {
    const { endpoint, failed } = await aMess();
    await disableWebhookEndpoint(database.db, 'mer_1', endpoint, 'it answered 410 Gone');
    const refusal = await messageOf(admin('redeliver', failed[0] ?? ''));
    expect(refusal).toContain(`${endpoint} is disabled (it answered 410 Gone): add --enable`);
    expect(await duesOf()).toEqual([]);
    expect(await admin<unknown>('redeliver', endpoint, '--enable')).toEqual({ deliveries: 3, alerts: 1 });
    const { rows } = await database.admin.query('SELECT status, disabled_reason FROM webhook_endpoints WHERE id = $1', [
      endpoint,
    ]);
    expect(rows).toEqual([{ status: 'active', disabled_reason: null }]);
  });
});

test('missing settings of the command itself are named', async () => {
  const program = join(import.meta.dirname, '../../workers/admin.ts');
  const run = promisify(execFile)(process.execPath, [program, 'list-merchants'], {
    env: { PATH: process.env['PATH'] },
  });
  expect(await messageOf(run)).toContain('DATABASE_URL');
});
