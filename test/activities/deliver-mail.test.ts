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
  outlook: '',
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
const atRcpt = (code: number, words: string): SMTPServerOptions => ({
  onRcptTo: (_to, _session, done) => done(refusing(code, words)),
});
const atData = (code: number, words: string): SMTPServerOptions => ({
  onData: (stream, _session, done) => void stream.resume().once('end', () => done(refusing(code, words))),
});

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

  test('of a subscription says what did not go through, or what expires, and what comes next', () => {
    const outlook = 'The next try is on 3 March 2027.';
    const failure = renderMail({ ...mail, kind: 'invoice-failure', reason: 'The card is over its limit.', outlook });
    const expiring = renderMail({
      ...mail,
      kind: 'card-expiring',
      amount: '25.99 USD every month',
      outlook: 'It expires at the end of 03/2027.',
      isTest: true,
    });
    expect(failure.subject).toBe('Your payment of 25.99 USD to Tea & Sons did not go through');
    for (const body of [failure.text, failure.html])
      for (const said of ['your subscription with Tea', 'you were not charged', 'over its limit', outlook, 'For: Tea'])
        expect(body).toContain(said);
    expect(failure.text).toMatch(/^The card is over its limit\.\n\nThe next try/m);
    expect(expiring.subject).toBe('The card for your subscription with Tea & Sons expires soon');
    for (const body of [expiring.text, expiring.html])
      for (const said of ['25.99 USD every month', 'at the end of 03/2027. Please give Tea', 'This was a test'])
        expect(body).toContain(said);
  });

  test('draws nothing from what merchants write: markup is text, and lines stay in their place', () => {
    const bad = '<script>alert(1)</script>"\r\nBcc: eve@example.com\n\nGoodbye';
    for (const kind of ['success', 'invoice-failure', 'card-expiring'] as const) {
      const { subject, text, html } = renderMail({ ...mail, kind, merchantName: bad, description: bad, outlook: bad });
      expect(html).not.toContain('<script>');
      expect(html).toContain('&lt;script&gt;');
      expect(subject).toContain('Bcc: eve@example.com Goodbye');
      expect(subject).not.toMatch(/[\r\n]/);
      expect(text).not.toMatch(/^Bcc/m);
      expect(text).toContain('<script>');
    }
  });
});

describe('a mail server that', () => {
  test.each([
    ['refuses the address', atRcpt(550, '5.1.1 no ada@example.com here')],
    ['refuses the address in an old way', atRcpt(553, 'ada@example.com is no address')],
    ['has no room for it', atRcpt(552, '5.2.2 the box of ada@example.com is full')],
    ['refuses the address at the end', atData(550, '5.1.10 ada@example.com takes no mail')],
    ['refuses the size', atData(552, '5.3.4 too much for ada@example.com')],
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
    ['is busy with the address', atRcpt(450, '4.2.1 later')],
    [
      'refuses our sender, which we can repair',
      {
        onMailFrom: (_from: unknown, _session: unknown, done: (error: Error) => void) =>
          done(refusing(550, 'who are you')),
      },
    ],
    ['does not relay for us', atRcpt(550, '5.7.1 relaying denied')],
    ['does not relay for us, in another way', atRcpt(553, '5.7.1 relaying denied')],
    ['takes our login for another one’s sender', atRcpt(553, '5.1.8 sender refused')],
    ['wants a login first', atRcpt(554, '5.7.1 access denied')],
    ['refuses without a reason', atRcpt(550, 'no')],
    ['takes us for a sender of spam', atData(554, '5.7.1 spam')],
    ['refuses the message without a reason', atData(554, 'no')],
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
