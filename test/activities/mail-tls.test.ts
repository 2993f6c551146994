import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { createMailSender, type PayerMail } from '../../activities/notifications/mail.ts';
import { makeCertificates } from '../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'payments-mail-'));
const { certificate, key } = makeCertificates(join(folder, 'unknown'), ['IP:127.0.0.1']);
const servers: SMTPServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise<void>((resolve) => server.close(resolve));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mail: PayerMail = {
  kind: 'success',
  deliveryId: 'dlv_1',
  correlationId: 'req_1',
  to: 'payer@example.com',
  merchantName: 'Shop',
  amount: '25.99 USD',
  description: null,
  reason: '',
  outlook: '',
  isTest: true,
};

/** A mail server; what it was told of mails stands in `told`. */
async function serve(options: SMTPServerOptions): Promise<{ port: number; told: string[] }> {
  const told: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    ...options,
    onMailFrom: ({ address }, _session, done) => {
      told.push(address);
      done();
    },
    onData: (stream, _session, done) => {
      stream.resume().on('end', () => done());
    },
  });
  servers.push(server);
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.server.address() as AddressInfo).port, told };
}

async function send(url: string): Promise<string> {
  const sender = createMailSender(url, 'Shop <shop@example.com>');
  try {
    return (await sender.send(mail, 5_000)).kind;
  } finally {
    sender.close();
  }
}

describe('mails', () => {
  const plain: SMTPServerOptions = { disabledCommands: ['STARTTLS'] };
  const unknown: SMTPServerOptions = { cert: readFileSync(certificate), key: readFileSync(key) };

  test('go to a server without TLS where nobody asked for it', async () => {
    const { port, told } = await serve(plain);
    expect([await send(`smtp://127.0.0.1:${port}`), told]).toEqual(['delivered', ['shop@example.com']]);
  });

  test('do not with requireTLS=true, and nothing of them is said', async () => {
    const { port, told } = await serve(plain);
    expect([await send(`smtp://127.0.0.1:${port}?requireTLS=true`), told]).toEqual(['again', []]);
  });

  test('do not go to a server that nobody vouches for, be it by STARTTLS or by smtps://', async () => {
    const upgraded = await serve(unknown);
    expect([await send(`smtp://127.0.0.1:${upgraded.port}?requireTLS=true`), upgraded.told]).toEqual(['again', []]);
    const secure = await serve({ ...unknown, secure: true });
    expect([await send(`smtps://127.0.0.1:${secure.port}`), secure.told]).toEqual(['again', []]);
  });
});
