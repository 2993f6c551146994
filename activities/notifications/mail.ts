import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';
import { createTransport } from 'nodemailer';
import type { Telling } from './telling.ts';

/** A mail to a payer. */
export interface PayerMail {
  readonly kind: 'success' | 'failure' | 'delay' | 'invoice-failure' | 'card-expiring';
  /** Makes the `Message-ID`, so that a mail sent twice is known as one. */
  readonly deliveryId: string;
  readonly correlationId: string;
  readonly to: string;
  readonly merchantName: string;
  /** For people: "25.99 USD"; of a subscription "25.99 USD every month". */
  readonly amount: string;
  readonly description: string | null;
  /** Why the payment failed, in words for the payer. */
  readonly reason: string;
  /** What becomes of it: of an invoice's next try, or of a card's end. */
  readonly outlook: string;
  readonly isTest: boolean;
}

/** Sends mails. */
export interface MailSender {
  /** One try, which never throws and takes at most `timeoutMs`. */
  send(mail: PayerMail, timeoutMs: number): Promise<Telling>;
  close(): void;
}

/** A mail as it will be read. */
export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const connectionsMax = 10;
const quietMsMax = 5_000;

/** Makes a sender over the mail server at an `smtp(s)://` URL, from an address like `Shop <shop@example.com>`. */
export function createMailSender(smtpUrl: string, from: string): MailSender {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: connectionsMax,
    connectionTimeout: quietMsMax,
    greetingTimeout: quietMsMax,
    socketTimeout: quietMsMax,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = /@([^@\s>]+)>?\s*$/.exec(from)?.[1] ?? 'localhost';
  return {
    async send(mail, timeoutMs) {
      const message = {
        from,
        to: { name: '', address: mail.to },
        ...renderMail(mail),
        messageId: `<${mail.deliveryId}@${domain}>`,
        headers: { 'X-Correlation-Id': mail.correlationId, 'Auto-Submitted': 'auto-generated' },
        signal: AbortSignal.timeout(timeoutMs),
      };
      try {
        await transport.sendMail(message);
        return { kind: 'delivered', statusCode: null };
      } catch (error) {
        return tellingOf(error);
      }
    },
    close: () => transport.close(),
  };
}

const views = fileURLToPath(new URL('templates', import.meta.url));
const texts = new Eta({ views, autoEscape: false, cache: true });
const pages = new Eta({ views, cache: true });

/** Writes a mail. The first line of the text template is the subject. Whatever merchants wrote is escaped in HTML. */
export function renderMail(mail: PayerMail): RenderedMail {
  const data = {
    ...mail,
    merchantName: oneLine(mail.merchantName),
    description: mail.description && oneLine(mail.description),
    outlook: oneLine(mail.outlook),
  };
  const written = texts.render(`./${mail.kind}.txt.eta`, data);
  const [subject = '', ...lines] = written.split('\n');
  const text = `${lines
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim()}\n`;
  return { subject, text, html: pages.render(`./${mail.kind}.html.eta`, data) };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** A server's text may quote the address: it is left out. */
function tellingOf(error: unknown): Telling {
  const { code, responseCode } = partsOf(error);
  const statusCode = responseCode;
  if (isRefusedForGood(error)) {
    return { kind: 'refused', problem: `the mail server refused it (${responseCode ?? code})`, statusCode };
  }
  const problem = `the mail server did not take it (${responseCode ?? code ?? 'no answer'})`;
  return { kind: 'again', problem, statusCode, retryAfterMs: null };
}

/** Enhanced codes (RFC 3463) about our sender's address, and of policies: we are not known or not trusted, whatever the mail. */
const isAboutUs = /^5\.(?:1\.[78]$|7\.)/;

/**
 * Whether no try of this mail can ever succeed, whatever we repair: its recipient's address is wrong, or it is too large.
 * Servers say much else with a 5xx, about our login, our sender or what they think of us: that is tried again.
 */
function isRefusedForGood(error: unknown): boolean {
  const { command, responseCode, response, message } = partsOf(error);
  if (command === 'API') return /^(?:Invalid recipient|No recipients)/.test(message);
  if (command !== 'RCPT TO' && command !== 'DATA') return false;
  const enhanced = /^5\d\d[ -](5\.\d+\.\d+)\s/.exec(response ?? '')?.[1] ?? '';
  if (isAboutUs.test(enhanced)) return false;
  return enhanced.startsWith('5.1.') || responseCode === 552 || responseCode === 553;
}

function partsOf(error: unknown) {
  const parts = new Map(error instanceof Error ? Object.entries(error) : []);
  const textOf = (name: string) => (typeof parts.get(name) === 'string' ? String(parts.get(name)) : null);
  const responseCode: unknown = parts.get('responseCode');
  return {
    code: textOf('code'),
    command: textOf('command'),
    response: textOf('response'),
    responseCode: typeof responseCode === 'number' ? responseCode : null,
    message: error instanceof Error ? error.message : '',
  };
}
