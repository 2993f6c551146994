import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { merchantSettingsSchema } from '../../prisma/merchant-settings.ts';
import {
  apiSettings,
  codecServerSettings,
  readSettings,
  SettingsError,
  workerSettings,
} from '../../runtime/settings.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);
const key = Buffer.alloc(32, 7).toString('base64');
const good = {
  DATABASE_URL: 'postgresql://app:hunter2@localhost:5432/payments',
  PAYLOAD_CODEC_KEYS: `one:${key}`,
  STORED_SECRETS_KEYS: `one:${key}`,
  TOKEN_SIGNING_KEYS: `one:${key}`,
  API_KEY_PEPPER: 'p'.repeat(32),
};
const goodWorker = {
  ...good,
  EASYPAY_URL: 'http://127.0.0.1:1',
  EASYPAY_API_KEY: 'k',
  PAYPAL_URL: 'http://127.0.0.1:1',
  PAYPAL_CLIENT_ID: 'c',
  PAYPAL_CLIENT_SECRET: 's',
};

function refusal(environment: NodeJS.ProcessEnv): string {
  try {
    readSettings(apiSettings, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error('these settings were taken');
}

describe('settings', () => {
  test('have defaults for all that need not be said', () => {
    expect(readSettings(apiSettings, good)).toMatchObject({
      LOG_LEVEL: 'info',
      DATABASE_CONNECTIONS_MAX: 20,
      API_HOST: '127.0.0.1',
      API_PORT: 3000,
    });
    expect(readSettings(workerSettings, goodWorker)).toMatchObject({
      WORKER_CACHED_WORKFLOWS_MAX: 1000,
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: false,
      METRICS_HOST: '127.0.0.1',
    });
  });

  test('that are empty count as absent', () => {
    expect(readSettings(apiSettings, { ...good, API_PORT: '', LOG_LEVEL: '' })).toMatchObject({
      API_PORT: 3000,
      LOG_LEVEL: 'info',
    });
    expect(refusal({ ...good, API_KEY_PEPPER: '' })).toContain('API_KEY_PEPPER: is missing');
  });

  test('that nobody asked for do no harm', () => {
    expect(readSettings(apiSettings, { ...good, PATH: '/bin', HOME: '/' })).not.toHaveProperty('PATH');
  });

  test('that are wrong are named all at once, each on a line, with what to do', () => {
    const message = refusal({ LOG_LEVEL: 'loud', API_PORT: '99999', DATABASE_CONNECTIONS_MAX: '0' });
    expect(message.split('\n')[0]).toMatch(/change the environment/);
    for (const name of [
      'LOG_LEVEL',
      'API_PORT',
      'DATABASE_CONNECTIONS_MAX',
      'DATABASE_URL',
      'PAYLOAD_CODEC_KEYS',
      'STORED_SECRETS_KEYS',
      'API_KEY_PEPPER',
    ]) {
      expect(message).toMatch(new RegExp(`^  ${name}: .+`, 'm'));
    }
  });

  test.each([
    ['DATABASE_URL', 'mysql://app:hunter2@localhost/payments'],
    ['DATABASE_URL', 'hunter2'],
    ['DATABASE_CONNECTIONS_MAX', '501'],
    ['DATABASE_CONNECTIONS_MAX', '1.5'],
    ['API_PORT', '-1'],
    ['API_PORT', '65536'],
    ['API_PORT', 'hunter2'],
    ['API_KEY_PEPPER', 'hunter2'],
    ['PAYLOAD_CODEC_KEYS', 'hunter2'],
    ['PAYLOAD_CODEC_KEYS', `one:${Buffer.from('hunter2').toString('base64')}`],
    ['PAYLOAD_CODEC_KEYS', `:${key}`],
    ['PAYLOAD_CODEC_KEYS', `one:${key},`],
    ['LOG_LEVEL', 'hunter2'],
    ['STORED_SECRETS_KEYS', 'hunter2'],
    ['WEBHOOK_ALLOW_PRIVATE_ADDRESSES', 'hunter2'],
    ['TOKEN_SIGNING_KEYS', 'hunter2'],
    ['ENVIRONMENT', 'hunter2'],
    ['REDIS_URL', 'http://127.0.0.1:6379'],
    ['TRUST_PROXY', 'hunter2'],
    ['TRUST_PROXY', 'loopback'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '10.0.0.0/8,0.0.0.0/0'],
    ['TRUST_PROXY', '::/0'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'null'],
    ['CORS_ORIGINS', 'another.example.com'],
    ['CORS_ORIGINS', 'https://another.example.com/'],
    ['CORS_ORIGINS', 'https://*.example.com'],
    ['CORS_ORIGINS', 'https://good.example.com,https://SHOP.example.com'],
    ['ADDRESS_LIMIT_PER_MINUTE', '0'],
    ['WRONG_SECRET_LIMIT_PER_MINUTE', 'hunter2'],
  ])('%s=%s is refused, and the message does not show it', (name, value) => {
    const message = refusal({ ...good, [name]: value });
    expect(message).toContain(`  ${name}: `);
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain(key);
    if (value.length > 5) expect(message).not.toContain(value);
  });

  test('of the codec keep the order of their keys: the first one encrypts', () => {
    const other = Buffer.alloc(32, 9).toString('base64');
    const settings = readSettings(apiSettings, { ...good, PAYLOAD_CODEC_KEYS: `two:${other}, one:${key}` });
    expect([...settings.PAYLOAD_CODEC_KEYS.keys()]).toEqual(['two', 'one']);
    expect(settings.PAYLOAD_CODEC_KEYS.get('one')).toEqual(Buffer.alloc(32, 7));
  });

  test('of the network take lists', () => {
    const lists = {
      TRUST_PROXY: '10.0.0.0/8, 192.0.2.7,2001:db8::/32',
      CORS_ORIGINS: 'https://a.example,http://localhost:5173',
    };
    expect(readSettings(apiSettings, { ...good, ...lists })).toMatchObject({
      TRUST_PROXY: ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'],
      CORS_ORIGINS: ['https://a.example', 'http://localhost:5173'],
    });
  });

  test('of the codec endpoint take several origins', () => {
    const environment = { ...good, CODEC_CORS_ORIGIN: 'http://localhost:8233, https://temporal.example.com' };
    expect(readSettings(codecServerSettings, environment).CODEC_CORS_ORIGIN).toEqual([
      'http://localhost:8233',
      'https://temporal.example.com',
    ]);
  });

  test.each([
    ['METRICS_PORT', '127.0.0.1:9464'],
    ['METRICS_PORT', '65536'],
    ['SMTP_URL', 'http://127.0.0.1:25'],
    ['PAYPAL_URL', '127.0.0.1:4012'],
    ['MAIL_FROM', 'x'],
  ])('of a worker are refused with %s=%s', (name, value) => {
    expect(() => readSettings(workerSettings, { ...goodWorker, [name]: value })).toThrow(name);
  });
});

describe('docs/settings.md', () => {
  const document = readFileSync(new URL('docs/settings.md', root), 'utf8');

  test('says what the schemas say', async () => {
    await run(process.execPath, ['workers/write-settings-doc.ts', '--check'], { cwd: root });
  });

  test('names every setting of a merchant, with its default', () => {
    for (const [name, value] of Object.entries(merchantSettingsSchema.parse({}))) {
      expect(document).toContain(typeof value === 'object' ? `| \`${name}\` |` : `| \`${name}\` | \`${value}\` |`);
    }
  });

  test.each(['simulators/settings.ts', 'workers/dev/ports.ts'])('names every setting of %s', (file) => {
    const source = readFileSync(new URL(file, root), 'utf8');
    const names = [...source.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect(document).toContain(`\`${name}\``);
  });
});
