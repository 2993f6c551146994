import { type AddressInfo, createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { callbackify } from 'node:util';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, describe, expect, test } from 'vitest';
import { createMailSender, type MailSender, type PayerMail, renderMail } from '../../activities/notifications/mail.ts';

const mail: PayerMail = {
  kind: 'success',
  deliveryId: 'dlv_1',
  correlationId: 'req_1',
  to: 'ada@example.com',
  merchantName: 'Tea & Sons',
  amount: '25.99 USD',
  description: 'Tea for two',
  reason: '',
  isTest: false,
};

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A mail server of the test's own; answers what it got. */
async function aMailServer(options: SMTPServerOptions = {}): Promise<{ sender: MailSender; mails: Email[] }> {
  const mails: Email[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, _session, done) {
      const reading = buffer(stream).then(async (bytes) => void mails.push(await PostalMime.parse(bytes)));
      callbackify(() => reading)(done);
    },
    ...options,
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  const sender = createMailSender(`smtp://127.0.0.1:${port}`, 'Shop <shop@pay.example.com>');
  closing.push(
    () => sender.close(),
    () => new Promise<void>((resolve) => server.close(() => resolve())),
  );
  return { sender, mails };
}

const refusing = (responseCode: number, words: string) => Object.assign(new Error(words), { responseCode });

describe('a mail to a payer', () => {
  test('arrives with text and HTML, addressed to the payer alone, and the same id on each try', async () => {
    const { sender, mails } = await aMailServer();
    for (let tries = 0; tries < 2; tries++)
      expect(await sender.send(mail, 5_000)).toEqual({ kind: 'delivered', statusCode: null });
    expect(mails.map(({ messageId }) => messageId)).toEqual(['<dlv_1@pay.example.com>', '<dlv_1@pay.example.com>']);
    const [one] = mails;
    expect(one).toMatchObject({
      from: { address: 'shop@pay.example.com', name: 'Shop' },
      to: [{ address: 'ada@example.com' }],
      subject: 'Your payment of 25.99 USD to Tea & Sons',
    });
    expect(one?.headers.filter(({ key }) => ['x-correlation-id', 'auto-submitted'].includes(key))).toEqual([
      expect.objectContaining({ key: 'x-correlation-id', value: 'req_1' }),
      expect.objectContaining({ key: 'auto-submitted', value: 'auto-generated' }),
    ]);
    expect(one?.text).toContain('Tea & Sons has received your payment of 25.99 USD.');
    expect(one?.html).toContain('Tea &amp; Sons has received your payment of <strong>25.99 USD</strong>.');
  });

  test('of success, failure or delay says what happened, for what, and what to do', () => {
    const success = renderMail(mail);
    const failure = renderMail({ ...mail, kind: 'failure', reason: 'The card has expired.' });
    const delay = renderMail({ ...mail, kind: 'delay', description: null, isTest: true });
    expect(failure.subject).toBe('Your payment of 25.99 USD to Tea & Sons did not go through');
    for (const body of [failure.text, failure.html]) {
      expect(body).toContain('you were not charged');
      expect(body).toContain('The card has expired.');
    }
    for (const body of [delay.text, delay.html]) {
      expect(body).toContain('You do not need to do anything');
      expect(body).toContain('This was a test: no money moves.');
      expect(body).not.toContain('For:');
    }
    for (const body of [success.text, success.html, failure.text, failure.html]) {
      expect(body).toContain('For: Tea for two');
      expect(body).not.toContain('test');
    }
  });

  test('draws nothing from what merchants write: markup is text, and lines stay in their place', () => {
    const bad = '<script>alert(1)</script>"\r\nBcc: eve@example.com\n\nGoodbye';
    const { subject, text, html } = renderMail({ ...mail, merchantName: bad, description: bad });
    expect(html).not.toContain('<script>');
    expect(html).toContain('&lt;script&gt;');
    expect(subject).toContain('Bcc: eve@example.com Goodbye');
    expect(subject).not.toMatch(/[\r\n]/);
    expect(text).not.toMatch(/^Bcc/m);
    expect(text).toContain('<script>');
  });
});

describe('a mail server that', () => {
  test.each([
    [
      'refuses the address',
      {
        onRcptTo: (_to: unknown, _session: unknown, done: (error: Error) => void) =>
          done(refusing(550, 'no ada@example.com here')),
      },
    ],
    [
      'refuses the message',
      {
        onData: (stream: NodeJS.ReadableStream, _session: unknown, done: (error: Error) => void) =>
          void stream.resume().once('end', () => done(refusing(554, 'spam for ada@example.com'))),
      },
    ],
  ] satisfies [string, SMTPServerOptions][])(
    '%s for good is not asked again, and its words are not kept',
    async (_, options) => {
      const { sender } = await aMailServer(options);
      const told = await sender.send(mail, 5_000);
      expect(told).toMatchObject({ kind: 'refused', statusCode: expect.any(Number) });
      expect(JSON.stringify(told)).not.toContain('ada');
    },
  );

  test.each([
    [
      'is busy with the address',
      { onRcptTo: (_to: unknown, _session: unknown, done: (error: Error) => void) => done(refusing(450, 'later')) },
    ],
    [
      'refuses our sender, which we can repair',
      {
        onMailFrom: (_from: unknown, _session: unknown, done: (error: Error) => void) =>
          done(refusing(550, 'who are you')),
      },
    ],
    [
      'refuses our connection',
      { onConnect: (_session: unknown, done: (error: Error) => void) => done(refusing(554, 'blocked')) },
    ],
    ['wants a login that we do not have', { authOptional: false }],
  ] satisfies [string, SMTPServerOptions][])('%s is asked again', async (_, options) => {
    const { sender } = await aMailServer(options);
    expect(await sender.send(mail, 5_000)).toMatchObject({ kind: 'again' });
  });

  test('accepts a connection and says nothing holds a try no longer than it may', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const sender = createMailSender(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, 'shop@example.com');
    closing.push(
      () => sender.close(),
      () => void server.close(),
    );
    const startedAt = performance.now();
    expect(await sender.send(mail, 300)).toMatchObject({ kind: 'again' });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test('is not there is asked again', async () => {
    const sender = createMailSender('smtp://127.0.0.1:1', 'shop@example.com');
    closing.push(() => sender.close());
    expect(await sender.send(mail, 5_000)).toMatchObject({ kind: 'again', statusCode: null });
  });
});
