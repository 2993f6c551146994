import { once } from 'node:events';
import { connect } from 'node:net';
import type { Transporter } from 'nodemailer';
import { createTransport } from 'nodemailer';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { WholeWorld, World } from './harness.ts';
import { control, faultReport, injectAt, isUnanswered, startWorld, until, untilParked } from './harness.ts';

const mailsSchema = z.strictObject({
  mails: z.array(
    z.strictObject({
      seq: z.number(),
      at: z.iso.datetime(),
      from: z.string().nullable(),
      to: z.array(z.string()),
      subject: z.string().nullable(),
      text: z.string().nullable(),
      html: z.string().nullable(),
      headers: z.record(z.string(), z.string()),
      message_id: z.string().nullable(),
    }),
  ),
  dropped: z.number(),
});

async function mails(world: World, query = '') {
  return mailsSchema.parse((await control(world, 'GET', `/mailbox${query}`)).body).mails;
}

function mailer(world: WholeWorld, options: object = {}): Transporter {
  const { hostname, port } = new URL(world.smtp);
  const transport = createTransport({ host: hostname, port: Number(port), ignoreTLS: true, ...options });
  onTestFinished(() => transport.close());
  return transport;
}

const post = (transport: Transporter, changes: object = {}) =>
  transport.sendMail({
    from: 'Shop <shop@merchant.test>',
    to: 'payer@example.test',
    subject: 'Your payment',
    text: 'Thank you.',
    ...changes,
  });

/** What became of a mail: its SMTP code, or the code of the failed connection. */
const outcomeOf = (sending: Promise<unknown>): Promise<unknown> =>
  sending.then(
    () => 250,
    (error: unknown) => Object(error).responseCode ?? Object(error).code,
  );

test('a mail is kept as it was sent: envelope, subject, both bodies and headers', async () => {
  const world = await startWorld();
  await post(mailer(world), {
    to: ['payer@example.test', 'second@example.test'],
    bcc: 'hidden@example.test',
    subject: 'Zahlung über 25,99 € ✓',
    text: 'Vielen Dank für 25,99 €.',
    html: '<p>Vielen Dank für <b>25,99 €</b>.</p>',
    messageId: '<evt_1@merchant.test>',
    headers: { 'X-Correlation-Id': 'corr-1' },
  });
  const [mail, ...others] = await mails(world);
  expect(others).toEqual([]);
  expect(mail).toMatchObject({
    seq: 1,
    from: 'shop@merchant.test',
    to: ['payer@example.test', 'second@example.test', 'hidden@example.test'],
    subject: 'Zahlung über 25,99 € ✓',
    text: expect.stringMatching(/^Vielen Dank für 25,99 €\.\s*$/),
    html: expect.stringContaining('<b>25,99 €</b>'),
    headers: { from: 'Shop <shop@merchant.test>', 'x-correlation-id': 'corr-1' },
    message_id: '<evt_1@merchant.test>',
  });
});

test('mails are read on from a number and by recipient, and emptied', async () => {
  const world = await startWorld();
  const transport = mailer(world, { pool: true, maxConnections: 1 });
  for (const to of ['one@example.test', 'two@example.test', 'one@example.test']) await post(transport, { to });
  expect((await mails(world)).map((mail) => mail.seq)).toEqual([1, 2, 3]);
  expect((await mails(world, '?after=1')).map((mail) => mail.seq)).toEqual([2, 3]);
  expect((await mails(world, '?after=1&to=one@example.test')).map((mail) => mail.seq)).toEqual([3]);
  expect((await control(world, 'GET', '/mailbox?after=x')).body).toMatchObject({ error: { field: 'after' } });
  expect((await control(world, 'DELETE', '/mailbox')).status).toBe(204);
  expect(await mails(world)).toEqual([]);
  await post(transport);
  expect((await mails(world)).map((mail) => mail.seq)).toEqual([4]);
});

test.for([
  ['500_before', 554, 0],
  ['429', 451, 0],
  ['reset', 'ESOCKET', 0],
  ['lost_after', 'ECONNECTION', 1],
  ['slow', 250, 1],
] as const)('%s ends as %s (mails: %i), once, and is counted', async ([fault, outcome, stored]) => {
  const world = await startWorld();
  const transport = mailer(world);
  await injectAt(world, 'mailbox', { operation: 'send', fault, times: 1, delay_ms: 50 });
  expect(await outcomeOf(post(transport))).toBe(outcome);
  expect(await mails(world)).toHaveLength(stored);
  expect(await outcomeOf(post(transport))).toBe(250);
  expect(await mails(world)).toHaveLength(stored + 1);
  expect(await faultReport(world, 'mailbox')).toMatchObject({ injected: { [fault]: 1 }, served: { send: 1 } });
  expect(world.warnings).toEqual([]);
});

test('slow stores first and answers after its delay', async () => {
  const world = await startWorld();
  await injectAt(world, 'mailbox', { fault: 'slow', delay_ms: 400 });
  const sending = outcomeOf(post(mailer(world)));
  await until('it is stored', async () => (await mails(world)).length === 1);
  expect(await isUnanswered(sending)).toBe(true);
  expect(await sending).toBe(250);
});

test('never greets no new connection, and answers no mail on one that was greeted before', async () => {
  const world = await startWorld();
  const pooled = mailer(world, { pool: true, maxConnections: 1, socketTimeout: 300 });
  await post(pooled);
  await injectAt(world, 'mailbox', { fault: 'never', times: 2 });
  expect(await outcomeOf(post(pooled))).toBe('ETIMEDOUT');
  const socket = connect(Number(new URL(world.smtp).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  await until('it struck twice', async () => (await faultReport(world, 'mailbox')).injected.never === 2);
  expect(socket.bytesRead).toBe(0);
  expect(await outcomeOf(post(mailer(world)))).toBe(250);
  expect(socket.bytesRead).toBe(0);
  expect(await mails(world)).toHaveLength(2);
});

test('refuse closes the port, cuts greeted connections, and healing opens it again', async () => {
  const world = await startWorld();
  const pooled = mailer(world, { pool: true, maxConnections: 1 });
  await post(pooled);
  await injectAt(world, 'mailbox', { fault: 'refuse' });
  expect(await outcomeOf(post(mailer(world)))).toBe('ESOCKET');
  await expect(post(pooled)).rejects.toThrow('ECONNREFUSED');
  await control(world, 'DELETE', '/faults/mailbox');
  expect(await outcomeOf(post(mailer(world)))).toBe(250);
  expect((await faultReport(world, 'mailbox')).injected).toEqual({ refuse: 1 });
});

test('a mail can be parked before and after it is stored, by its recipient', async () => {
  const world = await startWorld();
  for (const [point, stored] of [
    ['before_commit', 0],
    ['after_commit', 2],
  ] as const) {
    await control(world, 'PUT', '/park/mailbox', { operation: 'send', point, reference: 'payer@example.test' });
    const sending = outcomeOf(post(mailer(world)));
    await untilParked(world, 1, 'mailbox');
    expect(await mails(world)).toHaveLength(stored);
    await control(world, 'DELETE', '/park/mailbox');
    expect(await sending).toBe(250);
  }
});

test('a mail that is too large is refused, and a client that goes away in its middle is nobody’s affair', async () => {
  const world = await startWorld();
  expect(await outcomeOf(post(mailer(world), { text: 'x'.repeat(6_000_000) }))).toBe(552);
  const socket = connect(Number(new URL(world.smtp).port), '127.0.0.1');
  for (const line of ['', 'EHLO me', 'MAIL FROM:<a@b.test>', 'RCPT TO:<c@d.test>', 'DATA']) {
    if (line !== '') socket.write(`${line}\r\n`);
    await once(socket, 'data');
  }
  socket.write('Subject: half');
  socket.resetAndDestroy();
  expect(await outcomeOf(post(mailer(world)))).toBe(250);
  expect(await mails(world)).toHaveLength(1);
  expect(world.warnings).toEqual([]);
});

test('a stop ends connections that wait', async () => {
  const world = await startWorld();
  await injectAt(world, 'mailbox', { fault: 'never' });
  const sending = outcomeOf(post(mailer(world)));
  await until('it struck', async () => (await faultReport(world, 'mailbox')).injected.never === 1);
  await world.stop();
  expect(await sending).not.toBe(250);
  expect(world.warnings).toEqual([]);
});
