import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoMerchantId } from '../../prisma/demo-merchant.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { createLogger } from '../../runtime/logger.ts';
import { type ExaminedSettings, requireNoDemoMerchant, requireSafe } from '../../runtime/production.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';

const keys = () => new Map([['2026-11', randomBytes(32)]]);
const safe: ExaminedSettings = {
  ENVIRONMENT: 'production',
  PAYLOAD_CODEC_KEYS: keys(),
  STORED_SECRETS_KEYS: keys(),
  TOKEN_SIGNING_KEYS: keys(),
  API_KEY_PEPPER: randomBytes(48).toString('base64'),
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: false,
  DATABASE_URL: 'postgresql://app:hidden@db.internal:5432/payments?sslmode=verify-full&sslrootcert=/etc/ca.pem',
  REDIS_URL: 'rediss://:hidden@redis.internal:6380',
  SMTP_URL: 'smtps://user:hidden@mail.example.com',
  EASYPAY_URL: 'https://api.easypay.example',
  PAYPAL_URL: 'https://api.paypal.example',
  PUBLIC_API_URL: 'https://pay.example.com',
  CORS_ORIGINS: ['https://shop.example.com'],
};
const temporal = (address: string | undefined, tls?: unknown) => ({ connectionOptions: { address, tls } });

/** The settings that are refused; none: it starts. */
function refused(changes: Partial<ExaminedSettings>, at: Parameters<typeof requireSafe>[1] = null): string[] {
  try {
    requireSafe({ ...safe, ...changes }, at);
    return [];
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'SettingsError') throw error;
    expect(error.message).not.toContain('hidden');
    return [...error.message.matchAll(/^ {2}([A-Z_]+): \S/gm)].map(([, name = '']) => name);
  }
}

describe('production', () => {
  test('starts with safe settings', () => {
    expect(refused({}, temporal('temporal.example.com:7233', {}))).toEqual([]);
  });

  test('asks nothing of a process that has no such settings', () => {
    expect(() => requireSafe({ ENVIRONMENT: 'production' })).not.toThrow();
  });

  const zeros = new Map([['2026-11', Buffer.alloc(32)]]);
  const unsafe: [what: string, changes: Partial<ExaminedSettings>, name: string][] = [
    ['a codec key of development', { PAYLOAD_CODEC_KEYS: new Map([['dev', randomBytes(32)]]) }, 'PAYLOAD_CODEC_KEYS'],
    ['a codec key of zeros', { PAYLOAD_CODEC_KEYS: zeros }, 'PAYLOAD_CODEC_KEYS'],
    ['one bad key among good ones', { STORED_SECRETS_KEYS: new Map([...keys(), ...zeros]) }, 'STORED_SECRETS_KEYS'],
    [
      'a key that repeats',
      { TOKEN_SIGNING_KEYS: new Map([['k', Buffer.from('abcd'.repeat(8))]]) },
      'TOKEN_SIGNING_KEYS',
    ],
    ['a pepper of few characters', { API_KEY_PEPPER: 'abcdefgh'.repeat(8) }, 'API_KEY_PEPPER'],
    ['a pepper out of an example', { API_KEY_PEPPER: 'change-me-0123456789-qwertzuiopyxcvbnm' }, 'API_KEY_PEPPER'],
    ['webhooks to private addresses', { WEBHOOK_ALLOW_PRIVATE_ADDRESSES: true }, 'WEBHOOK_ALLOW_PRIVATE_ADDRESSES'],
    ['a provider without TLS', { EASYPAY_URL: 'http://api.easypay.example' }, 'EASYPAY_URL'],
    ['the other one too', { PAYPAL_URL: 'http://10.0.0.7:4012' }, 'PAYPAL_URL'],
    ['payers who come back without TLS', { PUBLIC_API_URL: 'http://pay.example.com' }, 'PUBLIC_API_URL'],
    ['pages that came without TLS', { CORS_ORIGINS: ['https://a.example', 'http://b.example'] }, 'CORS_ORIGINS'],
    ['Redis without TLS', { REDIS_URL: 'redis://redis.internal:6379' }, 'REDIS_URL'],
    ['mails without TLS', { SMTP_URL: 'smtp://user:hidden@mail.example.com:587' }, 'SMTP_URL'],
    ['mails to anybody', { SMTP_URL: 'smtps://mail.example.com?tls.rejectUnauthorized=false' }, 'SMTP_URL'],
    ['Postgres without TLS', { DATABASE_URL: 'postgresql://a:hidden@db.internal/payments' }, 'DATABASE_URL'],
    ['Postgres whoever it is', { DATABASE_URL: 'postgresql://db.internal/p?sslmode=no-verify' }, 'DATABASE_URL'],
    ['the last word on TLS', { DATABASE_URL: 'postgresql://d/p?sslmode=verify-full&sslmode=disable' }, 'DATABASE_URL'],
    ['another host behind', { DATABASE_URL: 'postgresql://localhost/p?host=db.internal' }, 'DATABASE_URL'],
    ['the owner without TLS', { MIGRATION_DATABASE_URL: 'postgresql://db.internal/p' }, 'MIGRATION_DATABASE_URL'],
  ];
  test.each(unsafe)('refuses %s', (_what, changes, name) => {
    expect(refused(changes)).toEqual([name]);
    expect(refused({ ...changes, ENVIRONMENT: 'development' })).toEqual([]);
  });

  const fine: [what: string, changes: Partial<ExaminedSettings>][] = [
    ['Postgres on this machine', { DATABASE_URL: 'postgresql://a:b@127.0.0.1:5432/p' }],
    ['Postgres on this machine, IPv6', { DATABASE_URL: 'postgresql://a:b@[::1]:5432/p' }],
    ['Postgres by a Unix socket', { DATABASE_URL: 'postgresql:///p?host=/var/run/postgresql' }],
    ['Postgres by a Unix socket in front', { DATABASE_URL: 'postgresql://%2Fvar%2Frun%2Fpostgresql/p' }],
    ['Redis on this machine', { REDIS_URL: 'redis://localhost:6379' }],
    ['mails through this machine', { SMTP_URL: 'smtp://127.0.0.1:25' }],
    ['mails by STARTTLS', { SMTP_URL: 'smtp://user:hidden@mail.example.com:587?requireTLS=true' }],
    ['a proxy on this machine', { EASYPAY_URL: 'http://127.0.0.1:4011' }],
    ['no Redis and no mails', { REDIS_URL: undefined, SMTP_URL: undefined }],
    ['a random pepper in hexadecimal', { API_KEY_PEPPER: randomBytes(32).toString('hex') }],
  ];
  test.each(fine)('allows %s', (_what, changes) => {
    expect(refused(changes)).toEqual([]);
  });

  test('refuses Temporal without TLS, unless it is on this machine', () => {
    expect(refused({}, temporal('temporal.internal:7233'))).toEqual(['TEMPORAL_TLS']);
    expect(refused({}, temporal('temporal.internal:7233', false))).toEqual(['TEMPORAL_TLS']);
    for (const here of ['127.0.0.1:7233', 'localhost:7233', '[::1]:7233', undefined])
      expect(refused({}, temporal(here))).toEqual([]);
    expect(refused({}, temporal('x.tmprl.cloud:7233', true))).toEqual([]);
  });

  test('names all that is unsafe at once', () => {
    const all = { API_KEY_PEPPER: 'x'.repeat(40), REDIS_URL: 'redis://r', WEBHOOK_ALLOW_PRIVATE_ADDRESSES: true };
    expect(refused(all, temporal('t:7233'))).toEqual([
      'API_KEY_PEPPER',
      'REDIS_URL',
      'TEMPORAL_TLS',
      'WEBHOOK_ALLOW_PRIVATE_ADDRESSES',
    ]);
  });

  test('goes on where the database is away, and says that it did not look for the demo merchant', async () => {
    let log = '';
    const logger = createLogger('test', 'info', { write: (line) => void (log += line) });
    await requireNoDemoMerchant(safe, () => Promise.reject(new Error('away')), logger);
    expect(log).toContain('nobody knows whether it has the demo merchant');
    await requireNoDemoMerchant({ ENVIRONMENT: 'development' }, () => Promise.reject(new Error('asked')), logger);
    expect(log).not.toContain('asked');
  });
});

describe('a process in production', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await startDatabase();
  });
  afterAll(() => database?.close());

  /** The environment of an API or worker that starts, as far as safety goes. */
  const environment = () => ({
    PATH: process.env['PATH'],
    ENVIRONMENT: 'production',
    PAYLOAD_CODEC_KEYS: `2026-11:${randomBytes(32).toString('base64')}`,
    STORED_SECRETS_KEYS: `2026-11:${randomBytes(32).toString('base64')}`,
    TOKEN_SIGNING_KEYS: `2026-11:${randomBytes(32).toString('base64')}`,
    API_KEY_PEPPER: randomBytes(32).toString('hex'),
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    EASYPAY_URL: 'https://127.0.0.1:1',
    EASYPAY_API_KEY: 'k',
    PAYPAL_URL: 'https://127.0.0.1:1',
    PAYPAL_CLIENT_ID: 'c',
    PAYPAL_CLIENT_SECRET: 's',
    API_PORT: '0',
  });
  function start(file: string, env: NodeJS.ProcessEnv): Promise<{ code: unknown; stderr: string }> {
    return new Promise((resolve) => {
      const program = join(import.meta.dirname, '../..', file);
      execFile(process.execPath, [program], { env, timeout: 30_000 }, (error, _stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stderr }),
      );
    });
  }

  test.each(['api/main.ts', 'workers/worker.ts'])('%s does not start with unsafe settings', async (file) => {
    const { code, stderr } = await start(file, {
      ...environment(),
      PAYLOAD_CODEC_KEYS: `dev:${randomBytes(32).toString('base64')}`,
      DATABASE_URL: 'postgresql://app:a-password@db.internal/payments',
      TEMPORAL_ADDRESS: 'temporal.internal:7233',
    });
    expect(code).toBe(78);
    for (const name of ['PAYLOAD_CODEC_KEYS', 'DATABASE_URL', 'TEMPORAL_TLS']) expect(stderr).toContain(`  ${name}: `);
    expect(stderr).not.toMatch(/a-password|db\.internal/);
  });

  test('Temporal’s own word for TLS is understood', async () => {
    const { stderr } = await start('api/main.ts', {
      ...environment(),
      TEMPORAL_ADDRESS: 'temporal.internal:7233',
      TEMPORAL_TLS: 'true',
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
    });
    expect(stderr).toContain('WEBHOOK_ALLOW_PRIVATE_ADDRESSES');
    expect(stderr).not.toContain('TEMPORAL');
  });

  test.each(['api/main.ts', 'workers/worker.ts'])(
    '%s does not start on a database with the demo merchant',
    async (file) => {
      await createMerchant(database.db, { id: demoMerchantId, name: 'Demo merchant' });
      const { code, stderr } = await start(file, environment());
      expect([code, stderr]).toEqual([78, expect.stringContaining('demo merchant')]);
    },
  );
});
