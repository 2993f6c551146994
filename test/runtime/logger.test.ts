import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { addLogFields, withLogFields } from '../../runtime/log-context.ts';
import type { LogFields } from '../../runtime/log-fields.ts';
import { createLogger } from '../../runtime/logger.ts';

const run = promisify(execFile);
const loggerPath = fileURLToPath(new URL('../../runtime/logger.ts', import.meta.url));

/** Runs a few lines in a process of their own, because a logger writes to the process's output. */
async function logged(script: string, level = 'info'): Promise<{ lines: Record<string, unknown>[]; text: string }> {
  const program = `import { createLogger } from ${JSON.stringify(loggerPath)}; const logger = createLogger('api', '${level}'); ${script}`;
  const { stdout } = await run(process.execPath, ['--input-type=module-typescript', '--eval', program]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), text: stdout };
}

/** A logger that writes where the test reads. */
function captured() {
  let written = '';
  const logger = createLogger('test', 'trace', { write: (line) => void (written += line) });
  const text = () => written;
  const lines = () =>
    written
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { logger, text, lines };
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

  test('writes of an error only what is on its list, and of its causes too', async () => {
    const { lines, text } = await logged(`
      const cause = Object.assign(new TypeError('the cause'), { code: 'ECONNRESET', body: 'hunter2' });
      const error = Object.assign(new Error('the error', { cause }), { code: 42, request: { headers: { authorization: 'hunter2' } } });
      logger.error({ err: error }, 'failed');`);
    expect(lines[0]?.['err']).toEqual({
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
  });

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

  test('writes only fields that are listed, each of its type, and counts the rest', () => {
    const { logger, lines, text } = captured();
    const row: unknown = {
      payment_id: 'pay_1',
      status: 201,
      card_token: 'hunter2',
      customer_email: 'hunter2@example.com',
      request: { headers: { authorization: 'Bearer hunter2' } },
      request_id: { secret: 'hunter2' },
      provider: 'hunter2'.repeat(100),
      failure: null,
    };
    logger.info(row as LogFields, 'a canary');
    expect(lines()).toEqual([
      expect.objectContaining({ payment_id: 'pay_1', status: 201, dropped_fields: 5, msg: 'a canary' }),
    ]);
    expect(lines()[0]).not.toHaveProperty('failure');
    expect(text()).not.toContain('hunter2');
  });

  test.each([
    'po_live_0123456789abcdef_0123456789abcdef0123456789abcdef012345',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'tok_visa_4242',
    'ada.lovelace@example.com',
    '4242 4242 4242 4242',
    'smtp://mailer:hunter2@mail.example.com',
    'Bearer eyJhbGciOiJIUzI1NiJ9',
  ])('removes %s from the messages and stacks of errors', (secret) => {
    const { logger, text } = captured();
    logger.error({ err: new Error(`refused (${secret}).`, { cause: new Error(secret) }) }, 'failed');
    expect(text()).toContain('[removed]');
    expect(text()).toContain('logger.test.ts');
    for (const part of secret.split(/smtp:\/\/|@mail.example.com|Bearer /).filter((one) => one !== '')) {
      expect(text()).not.toContain(part);
    }
  });

  test('leaves out the arguments of a call that an error of Prisma shows', () => {
    const { logger, text, lines } = captured();
    const message =
      '\nInvalid `prisma.payment.update()` invocation:\n\n{\n  data: {\n    customerName: "hunter2",\n    at: 1,\n  }\n}\n\nUnknown argument `at`.';
    logger.error({ err: Object.assign(new Error(message), { name: 'PrismaClientValidationError' }) }, 'failed');
    const { err } = lines()[0] as { err: { message: string; stack: string } };
    expect(err.message).toBe('Invalid `prisma.payment.update()` invocation: … Unknown argument `at`.');
    expect(err.stack).toContain('logger.test.ts');
    expect(text()).not.toContain('hunter2');
  });

  test('adds the fields of the work around a line, with what was learned on the way, and of no other work', async () => {
    const { logger, lines } = captured();
    const work = (paymentId: string, requestId: string) =>
      withLogFields({ payment_id: paymentId, attempt: 1 }, async () => {
        await Promise.resolve();
        addLogFields({ request_id: requestId });
        await Promise.resolve();
        logger.info({ attempt: 2 }, 'done');
      });
    await Promise.all([work('pay_1', 'one'), work('pay_2', 'two')]);
    addLogFields({ request_id: 'nobody' });
    logger.info('outside');
    expect(lines()).toEqual([
      expect.objectContaining({ payment_id: 'pay_1', request_id: 'one', attempt: 2 }),
      expect.objectContaining({ payment_id: 'pay_2', request_id: 'two', attempt: 2 }),
      expect.not.objectContaining({ request_id: expect.anything() }),
    ]);
  });
});
