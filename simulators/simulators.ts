import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { Book } from './bank/book.ts';
import type { ControlledFace } from './control.ts';
import { createControl } from './control.ts';
import { Charges } from './easypay/charges.ts';
import { resumeEasyPay } from './easypay/commit.ts';
import { signatureOf } from './easypay/event.ts';
import { createEasyPayFace, easypayOperations } from './easypay/face.ts';
import { Events } from './face/events.ts';
import type { Face } from './face/face.ts';
import type { Operations } from './face/faults.ts';
import { Faults } from './face/faults.ts';
import { Keys } from './face/keys.ts';
import type { Owner } from './face/later.ts';
import { Parking } from './face/parking.ts';
import { Turns } from './face/turns.ts';
import type { Wording } from './http.ts';
import { plainWording } from './http.ts';
import { httpProtocol } from './http-protocol.ts';
import type { Webhook } from './inbox/face.ts';
import { createInboxFace, inboxOperations } from './inbox/face.ts';
import type { Protocol } from './listener.ts';
import { Listener } from './listener.ts';
import type { Mail } from './mailbox/mail.ts';
import { mailboxOperations, mailboxProtocol } from './mailbox/protocol.ts';
import { createPayPalFace, paypalOperations, resumePayPal } from './paypal/face.ts';
import { Orders } from './paypal/orders.ts';
import type { PayPal } from './paypal/paypal.ts';
import { AccessTokens } from './paypal/tokens.ts';
import { Transmissions } from './paypal/transmissions.ts';
import { paypalWording } from './paypal/wording.ts';
import type { Settings } from './settings.ts';
import { Shelf } from './shelf.ts';
import type { Sms, SmsGateway } from './sms/face.ts';
import { createSmsFace, smsOperations } from './sms/face.ts';

type RequiredSettings = 'host' | 'controlPort' | 'easypayPort' | 'dataDir' | 'easypayApiKey';

/** How the simulators are started: the settings, of which ports that are not named are any free ones, and without
 * credentials PayPal knows no client. `warn` takes what an operator should know (default: standard error);
 * `onFailure` is called when the book cannot be written any more (default: only warn). */
export type SimulatorsOptions = Pick<Settings, RequiredSettings> &
  Partial<Settings> & {
    readonly warn?: (message: string) => void;
    readonly onFailure?: (error: Error) => void;
  };

/** Simulators that are up. */
export interface Simulators {
  readonly controlUrl: string;
  readonly easypayUrl: string;
  readonly paypalUrl: string;
  readonly smtpUrl: string;
  readonly smsUrl: string;
  readonly inboxUrl: string;
  /** Writes what is under way to the book and closes everything. Work that waits (parked calls, late commits) ends
   * as in a crash; pending charges go on at the next start. */
  stop(): Promise<void>;
}

type HttpDoor = 'control' | 'easypay' | 'paypal' | 'sms' | 'inbox';
type Doors = Readonly<Record<HttpDoor | 'smtp', Listener>>;
type Apps = Readonly<Record<HttpDoor, RequestListener>>;
type Parts = ReturnType<typeof createParts>;

// What came in is kept in memory; these are some tens of megabytes.
const mailsMax = 5_000;
const messagesMax = 5_000;
const webhooksMax = 20_000;

/** Starts the outside world: the bank with its book in `dataDir/bank.jsonl`, the faces of EasyPay and PayPal, the
 * mailbox, the SMS gateway and the inbox. Throws with a clear message when a port is taken or the book is damaged. */
export async function startSimulators(options: SimulatorsOptions): Promise<Simulators> {
  const warn = options.warn ?? ((message) => process.stderr.write(`simulators: ${message}\n`));
  const stopping = new AbortController();
  const parts = createParts(options, stopping.signal, warn);
  const apps = Promise.withResolvers<Apps>();
  const whenReady = (name: HttpDoor): Protocol =>
    httpProtocol((request, response) => void apps.promise.then((ready) => ready[name](request, response)));
  // The ports come first: a second process with the same settings fails here and never touches the book.
  const doors = await openDoors(options, { whenReady, smtp: mailboxProtocol(parts.mailbox) });
  try {
    const book = await openBook(options, { easypay: parts.easypay.charges, paypal: parts.paypal.orders }, warn);
    apps.resolve(createApps(parts, doors, book, warn));
    const { control, ...faces } = doors;
    return {
      controlUrl: control.url,
      easypayUrl: faces.easypay.url,
      paypalUrl: faces.paypal.url,
      smtpUrl: faces.smtp.url,
      smsUrl: faces.sms.url,
      inboxUrl: faces.inbox.url,
      stop: async () => {
        await Promise.all(Object.values(faces).map((door) => door.close()));
        stopping.abort();
        await book.close();
        await stopAll(Object.values(doors));
      },
    };
  } catch (error) {
    await stopAll(Object.values(doors));
    throw error;
  }
}

function createParts(options: SimulatorsOptions, stopping: AbortSignal, warn: (message: string) => void) {
  const owner = { stopping, warn };
  const faceOf = (operations: Operations, wording: Wording = plainWording): Face => ({
    faults: new Faults(operations),
    parking: new Parking(operations, stopping),
    stopping,
    warn,
    wording,
  });
  const sms: SmsGateway = { face: faceOf(smsOperations), keys: new Keys(), messages: new Shelf<Sms>(messagesMax) };
  return {
    easypay: {
      face: faceOf(easypayOperations),
      apiKey: options.easypayApiKey,
      publicUrl: options.easypayPublicUrl,
      charges: new Charges(),
      turns: new Turns(),
      events: easypayEvents(options, owner),
    },
    paypal: paypalParts(options, owner, faceOf(paypalOperations, paypalWording)),
    mailbox: { face: faceOf(mailboxOperations), mails: new Shelf<Mail>(mailsMax) },
    sms,
    inbox: { face: faceOf(inboxOperations), webhooks: new Shelf<Webhook>(webhooksMax) },
  };
}

function paypalParts(options: SimulatorsOptions, owner: Owner, face: Face): Omit<PayPal, 'book'> {
  const { paypalClientSecret: secret = '', paypalWebhookUrl: url, paypalWebhookId: webhookId } = options;
  const transmissions = new Transmissions({ webhookId, secret });
  const sign = (rawBody: string) => transmissions.sign(rawBody);
  return {
    face,
    client: clientOf(options),
    orders: new Orders(),
    tokens: new AccessTokens(),
    turns: new Turns(),
    transmissions,
    events: new Events({ url: webhookId === undefined ? undefined : url, sign, owner }),
  };
}

function clientOf({ paypalClientId: id, paypalClientSecret: secret }: SimulatorsOptions): PayPal['client'] {
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

function easypayEvents(
  { easypayWebhookUrl: url, easypayWebhookSecret: secret }: SimulatorsOptions,
  owner: Owner,
): Events {
  const sign = (rawBody: string) => (secret === undefined ? {} : signatureOf(secret, rawBody));
  return new Events({ url: secret === undefined ? undefined : url, sign, owner });
}

function createApps(parts: Parts, doors: Doors, book: Book, warn: (message: string) => void): Apps {
  const { mailbox, sms, inbox } = parts;
  const easypay = { ...parts.easypay, publicUrl: parts.easypay.publicUrl ?? doors.easypay.url, book };
  const paypal = { ...parts.paypal, book };
  const faces = new Map<string, ControlledFace>([
    ['easypay', { ...easypay.face, listener: doors.easypay, events: easypay.events }],
    ['paypal', { ...paypal.face, listener: doors.paypal, events: paypal.events }],
    ['mailbox', { ...mailbox.face, listener: doors.smtp }],
    ['sms', { ...sms.face, listener: doors.sms }],
    ['inbox', { ...inbox.face, listener: doors.inbox }],
  ]);
  const { mails } = mailbox;
  const { messages } = sms;
  const { webhooks } = inbox;
  resumeEasyPay(easypay);
  resumePayPal(paypal);
  return {
    control: createControl({ book, faces, mails, messages, webhooks, warn }),
    easypay: createEasyPayFace(easypay),
    paypal: createPayPalFace(paypal),
    sms: createSmsFace(sms),
    inbox: createInboxFace(inbox),
  };
}

async function openDoors(
  options: SimulatorsOptions,
  protocols: { readonly whenReady: (name: HttpDoor) => Protocol; readonly smtp: Protocol },
): Promise<Doors> {
  const { whenReady, smtp } = protocols;
  const opened: Listener[] = [];
  const open = async (setting: string, port: number | undefined, protocol: Protocol) => {
    const door = await Listener.open({ host: options.host, port: port ?? 0, setting, protocol });
    opened.push(door);
    return door;
  };
  try {
    return {
      control: await open('SIMULATORS_PORT', options.controlPort, whenReady('control')),
      easypay: await open('EASYPAY_FACE_PORT', options.easypayPort, whenReady('easypay')),
      paypal: await open('PAYPAL_FACE_PORT', options.paypalPort, whenReady('paypal')),
      smtp: await open('SMTP_FACE_PORT', options.smtpPort, smtp),
      sms: await open('SMS_FACE_PORT', options.smsPort, whenReady('sms')),
      inbox: await open('INBOX_FACE_PORT', options.inboxPort, whenReady('inbox')),
    };
  } catch (error) {
    await stopAll(opened);
    throw error;
  }
}

async function stopAll(doors: readonly Listener[]): Promise<void> {
  await Promise.all(doors.map((door) => door.stop()));
}

function openBook(
  options: SimulatorsOptions,
  keepers: Readonly<Record<string, { apply(memo: unknown): void }>>,
  warn: (message: string) => void,
): Promise<Book> {
  return Book.open({
    path: join(options.dataDir, 'bank.jsonl'),
    onMemo: ({ provider, value }) => {
      const keeper = keepers[provider];
      if (keeper === undefined) throw new Error(`The book holds a memo of "${provider}", which is no provider here`);
      keeper.apply(value);
    },
    warn,
    onFailure: (error) => {
      warn(`${error.message} (${String(error.cause)})`);
      options.onFailure?.(error);
    },
  });
}
