import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import { SMTPServer } from 'smtp-server';
import type { Face } from '../face/face.ts';
import type { FaultName, Operations } from '../face/faults.ts';
import { pause } from '../face/later.ts';
import type { Protocol } from '../listener.ts';
import type { Shelf } from '../shelf.ts';
import type { Mail } from './mail.ts';
import { readMail } from './mail.ts';

/** What can be asked of the mailbox. */
export const mailboxOperations: Operations = {
  send: ['refuse', '429', '500_before', 'reset', 'never', 'lost_after', 'slow'],
};

/** What the mailbox works with. */
export interface Mailbox {
  readonly face: Face;
  readonly mails: Shelf<Mail>;
}

interface Letter {
  readonly raw: Buffer;
  readonly isTooLarge: boolean;
  readonly from: string | null;
  readonly to: readonly string[];
}

/** What becomes of a mail's connection: an answer in SMTP, the connection cut, or nothing at all. */
type Outcome = 'accepted' | 'later' | 'refused' | 'too_large' | 'reset' | 'cut' | 'silence';

const mailSizeMax = 5_000_000;
const slowMsDefault = 3_000;
// Longer than any client waits.
const idleTimeoutMs = 600_000;

const strikesBefore: Readonly<Partial<Record<FaultName, Outcome>>> = {
  '429': 'later',
  '500_before': 'refused',
  reset: 'reset',
  never: 'silence',
};

/** SMTP for a listener. It accepts every mail for everyone, without authentication; connections end when the port
 * closes. */
export function mailboxProtocol(mailbox: Mailbox): Protocol {
  return {
    scheme: 'smtp',
    createServer: () => createSmtpServer(mailbox).server,
    finishing: () => new Set(),
  };
}

function createSmtpServer(mailbox: Mailbox): SMTPServer {
  const { face } = mailbox;
  const sockets = new Map<string, Socket>();
  const smtp = new SMTPServer({
    name: 'mailbox.test',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: mailSizeMax,
    socketTimeout: idleTimeoutMs,
    logger: false,
    onConnect: (_session, greet) => {
      const injection = face.faults.decide('send', 'connects');
      if (injection === undefined) greet();
      else injection.happened();
    },
    onData: (stream, session, reply) => {
      const socket = sockets.get(peerOf(session));
      readLetter(stream, session)
        .then((letter) => receive(mailbox, letter))
        .then((outcome) => conclude(outcome, reply, socket))
        .catch((error: unknown) => {
          // A client that goes away in the middle is its own affair.
          if (face.stopping.aborted || socket?.destroyed) return;
          face.warn(`A mail could not be read: ${String(error)}`);
          socket?.destroy();
        });
    },
  });
  smtp.server.on('connection', (socket) => {
    const peer = peerOf(socket);
    sockets.set(peer, socket);
    socket.once('close', () => sockets.delete(peer));
  });
  // The listener hears of its port's errors itself, and clients that go away are everyday.
  smtp.on('error', () => undefined);
  return smtp;
}

async function readLetter(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<Letter> {
  const { mailFrom, rcptTo } = session.envelope;
  const raw = await buffer(stream);
  return {
    raw,
    isTooLarge: stream.sizeExceeded,
    from: mailFrom === false ? null : mailFrom.address,
    to: rcptTo.map(({ address }) => address),
  };
}

async function receive({ face, mails }: Mailbox, letter: Letter): Promise<Outcome> {
  if (letter.isTooLarge) return 'too_large';
  const mail = await readMail(letter.raw, letter.from, letter.to);
  const call = { operation: 'send', reference: mail.to[0] ?? null, key: mail.message_id };
  const injection = face.faults.decide('send', 'commits');
  const strike = injection && strikesBefore[injection.fault];
  if (strike !== undefined) {
    injection?.happened();
    return strike;
  }
  await face.parking.pass('before_commit', call);
  mails.put(mail);
  await face.parking.pass('after_commit', call);
  if (injection?.fault === 'slow') await pause(face, injection.delayMs ?? slowMsDefault);
  if (injection === undefined) face.faults.served('send');
  else injection.happened();
  return injection?.fault === 'lost_after' ? 'cut' : 'accepted';
}

function conclude(
  outcome: Outcome,
  reply: (error: Error | null, message?: string) => void,
  socket: Socket | undefined,
): void {
  const refuse = (responseCode: number, message: string) => reply(Object.assign(new Error(message), { responseCode }));
  switch (outcome) {
    case 'accepted':
      return reply(null, 'OK: stored');
    case 'later':
      return refuse(451, 'Try again later');
    case 'refused':
      return refuse(554, 'Mail is refused here');
    case 'too_large':
      return refuse(552, `A mail may have ${mailSizeMax} bytes`);
    case 'reset':
      socket?.resetAndDestroy();
      return undefined;
    case 'cut':
      socket?.destroy();
      return undefined;
    case 'silence':
      return undefined;
  }
}

type Peer = { readonly [Key in 'remoteAddress' | 'remotePort']?: Socket[Key] };

function peerOf({ remoteAddress = '', remotePort = 0 }: Peer): string {
  return `${remoteAddress.replace(/^::ffff:/, '')} ${remotePort}`;
}
