import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findApiKey } from '../../prisma/api-keys.ts';
import { isSecret, parseKey } from '../../runtime/api-key.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';

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

test('missing settings of the command itself are named', async () => {
  const program = join(import.meta.dirname, '../../workers/admin.ts');
  const run = promisify(execFile)(process.execPath, [program, 'list-merchants'], {
    env: { PATH: process.env['PATH'] },
  });
  expect(await messageOf(run)).toContain('DATABASE_URL');
});
