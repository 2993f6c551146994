import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const loggerPath = fileURLToPath(new URL('../../runtime/logger.ts', import.meta.url));

/** Runs a few lines in a process of their own, because a logger writes to the process's output. */
async function logged(script: string, level = 'info'): Promise<{ lines: Record<string, unknown>[]; text: string }> {
  const program = `import { createLogger } from ${JSON.stringify(loggerPath)}; const logger = createLogger('api', '${level}'); ${script}`;
  const { stdout } = await run(process.execPath, ['--input-type=module-typescript', '--eval', program]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), text: stdout };
}

describe('the logger', () => {
  test('writes one JSON object per line, with its service', async () => {
    const { lines } = await logged(`logger.info({ payment_id: 'pay_1' }, 'two\\nlines'); logger.warn('second');`);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ service: 'api', level: 30, payment_id: 'pay_1', msg: 'two\nlines' });
    expect(lines[1]).toMatchObject({ service: 'api', level: 40, msg: 'second' });
  });

  test('writes nothing below its level', async () => {
    expect((await logged(`logger.info('no'); logger.error('yes');`, 'error')).lines).toHaveLength(1);
    expect((await logged(`logger.fatal('no');`, 'silent')).lines).toHaveLength(0);
  });

  test.each(['err', 'error'])(
    'writes of an error under %s only what is on its list, and of its causes too',
    async (name) => {
      const { lines, text } = await logged(`
      const cause = Object.assign(new TypeError('the cause'), { code: 'ECONNRESET', body: 'hunter2' });
      const error = Object.assign(new Error('the error', { cause }), { code: 42, request: { headers: { authorization: 'hunter2' } } });
      logger.error({ ${name}: error }, 'failed');`);
      expect(lines[0]?.[name]).toEqual({
        name: 'Error',
        message: 'the error',
        stack: expect.stringContaining('the error'),
        cause: {
          name: 'TypeError',
          message: 'the cause',
          code: 'ECONNRESET',
          stack: expect.stringContaining('the cause'),
        },
      });
      expect(text).not.toContain('hunter2');
    },
  );

  test.each([`'hunter2'`, `{ secret: 'hunter2' }`, `['hunter2']`])(
    'writes of %s, thrown in place of an error, only the type',
    async (thrown) => {
      const { lines, text } = await logged(`logger.error({ err: ${thrown} }, 'failed');`);
      expect(lines[0]?.['err']).toMatchObject({ name: 'NotAnError' });
      expect(text).not.toContain('hunter2');
    },
  );

  test('survives an error that is its own cause', async () => {
    const { lines } = await logged(
      `const error = new Error('loop'); error.cause = error; logger.error({ err: error }, 'failed');`,
    );
    expect(lines[0]).toMatchObject({ msg: 'failed', err: { message: 'loop' } });
  });
});
