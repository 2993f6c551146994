import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findApiKey } from '../../prisma/api-keys.ts';
import { giveUpDelivery } from '../../prisma/deliveries.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { disableWebhookEndpoint } from '../../prisma/webhook-endpoints.ts';
import { isSecret, parseKey } from '../../runtime/api-key.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { deliveriesOf, insertEndpoint, insertEvent } from '../support/deliveries.ts';

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

test('a merchant, its key and its settings are made by command, and the key opens what it says', async () => {
  const { id } = await admin<{ id: string }>('create-merchant', 'Bookshop');
  const made = await admin<{ key_id: string; api_key: string }>('create-api-key', id, '--live', '--name', 'shop');
  const key = parseKey(made.api_key);
  expect(key).toMatchObject({ kind: 'live', keyId: made.key_id });
  const stored = await findApiKey(database.db, made.key_id, new Date());
  expect(stored).toMatchObject({ merchantId: id, isTest: false, isActive: true });
  expect(isSecret(key?.secret ?? '', stored?.secretHash ?? '', pepper)).toBe(true);
  expect(JSON.stringify(stored)).not.toContain(key?.secret);

  const settings = await admin<Record<string, number>>('change-settings', id, '{"expires_after":600}');
  expect(settings).toMatchObject({ expires_after: 600, ask_for: 86_400, wait: 10, payer_emails: true });
  expect((await findApiKey(database.db, made.key_id, new Date()))?.settings.expires_after).toBe(600);

  expect(await admin<unknown>('revoke-api-key', made.key_id)).toEqual({ revoked: true });
  expect((await findApiKey(database.db, made.key_id, new Date()))?.isActive).toBe(false);
});

test('settings that are not allowed change nothing and are named', async () => {
  const { id } = await admin<{ id: string }>('create-merchant', 'Bakery');
  expect(await messageOf(admin('change-settings', id, '{"expires_after":1}'))).toContain('expires_after');
  expect(await messageOf(admin('change-settings', id, '{"expires":600}'))).toContain('expires');
  expect(await messageOf(admin('change-settings', 'mer_nobody', '{"wait":5}'))).toContain('mer_nobody');
  const row = await database.db.prisma.merchant.findUniqueOrThrow({ where: { id } });
  expect(row.settings).toEqual({});
});

test('an operator’s key is no merchant’s key', async () => {
  const made = await admin<{ key_id: string; operator_key: string }>('create-operator-key', '--name', 'Ann');
  expect(parseKey(made.operator_key)?.kind).toBe('operator');
  expect(await findApiKey(database.db, made.key_id, new Date())).toBeNull();
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
