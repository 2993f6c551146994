import { describe, expect, test } from 'vitest';
import {
  apiSettings,
  codecServerSettings,
  readSettings,
  SettingsError,
  workerSettings,
} from '../../runtime/settings.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const good = {
  DATABASE_URL: 'postgresql://app:hunter2@localhost:5432/payments',
  PAYLOAD_CODEC_KEYS: `one:${key}`,
  API_KEY_PEPPER: 'p'.repeat(32),
};
const goodWorker = { ...good, EASYPAY_URL: 'http://127.0.0.1:1', EASYPAY_API_KEY: 'k' };

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
    expect(readSettings(workerSettings, goodWorker)).toMatchObject({ WORKER_CACHED_WORKFLOWS_MAX: 1000 });
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

  test('of the codec endpoint take several origins', () => {
    const environment = { ...good, CODEC_CORS_ORIGIN: 'http://localhost:8233, https://temporal.example.com' };
    expect(readSettings(codecServerSettings, environment).CODEC_CORS_ORIGIN).toEqual([
      'http://localhost:8233',
      'https://temporal.example.com',
    ]);
  });

  test.each(['9464', '127.0.0.1', 'http://127.0.0.1:9464', '127.0.0.1:x'])(
    'a metrics address like %s is refused',
    (value) => {
      expect(() => readSettings(workerSettings, { ...goodWorker, WORKER_METRICS_ADDRESS: value })).toThrow(
        'WORKER_METRICS_ADDRESS',
      );
    },
  );
});
