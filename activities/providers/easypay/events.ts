import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { invariant } from '../../../workflows/domain/invariant.ts';
import { remark, transactionId } from '../answer-parts.ts';
import { type EventHeaders, EventRefused, type ProviderEvent, type ProviderEvents } from '../provider-events.ts';

/** Whose events, and the secret that EasyPay signs them with. */
export interface EasypayEventsOptions {
  readonly accountId: string;
  readonly secret: string;
}

/**
 * EasyPay's events: `EasyPay-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of t, a dot and the body>`, with one `v1` per
 * secret while EasyPay changes it.
 */
export function createEasypayEvents({ accountId, secret }: EasypayEventsOptions): ProviderEvents {
  invariant(secret !== '', 'events that are signed with an empty secret prove nothing');
  return {
    provider: 'easypay',
    accountId,
    async read(body, headers): Promise<ProviderEvent> {
      const signature = verifiedSignature(secret, body, headers);
      return { ...eventIn(body), signature };
    },
    close: async () => undefined,
  };
}

/** A time that a slow way and a clock that is not quite right may take, and that a copied event may be sent again within. */
const toleranceSeconds = 300;
/** Longer than a time and many signatures are. */
const signatureLengthMax = 2_000;

/** The header, once it has proven who sent these bytes, and when. Throws an `EventRefused`. */
function verifiedSignature(secret: string, body: Buffer, headers: EventHeaders): string {
  const header = headers['easypay-signature'];
  if (typeof header !== 'string' || header.length > signatureLengthMax) {
    throw new EventRefused('signature', 'there is no EasyPay-Signature header that can be read');
  }
  const { sentAt, given } = partsOf(header);
  const expected = createHmac('sha256', secret).update(`${sentAt}.`).update(body).digest();
  if (!given.some((one) => timingSafeEqual(one, expected)))
    throw new EventRefused('signature', 'no signature in EasyPay-Signature is one over this body');
  if (Math.abs(Date.now() / 1_000 - Number(sentAt)) > toleranceSeconds) {
    throw new EventRefused('stale', 'the time in EasyPay-Signature is more than five minutes away: check the clock');
  }
  return header;
}

function partsOf(header: string): { readonly sentAt: string; readonly given: readonly Buffer[] } {
  const parts = header.split(',').map((part) => part.trim());
  const times = parts.filter((part) => part.startsWith('t='));
  const signatures = parts.filter((part) => /^v1=[0-9a-f]{64}$/.test(part));
  const [time] = times;
  if (times.length !== 1 || time === undefined || !/^t=\d{1,12}$/.test(time)) {
    throw new EventRefused('signature', 'EasyPay-Signature names no time, or several');
  }
  return {
    sentAt: time.slice('t='.length),
    given: signatures.map((one) => Buffer.from(one.slice('v1='.length), 'hex')),
  };
}

/** What decides nothing is kept where it can be read: it is for the record, and a database must be able to store it. */
const note = remark(100).nullish().catch(null);

/** No more of it is kept than what is named here: another field may hold what only EasyPay may know of a payer. */
const eventSchema = z.object({
  id: transactionId,
  type: z.string().regex(/^[a-z_.]{1,100}$/),
  created_at: note,
  data: z.object({
    // What is no id of ours is a reference of somebody else who uses the account.
    reference: z
      .string()
      .regex(/^[\w-]{1,200}$/)
      .nullable()
      .catch(null),
    charge_reference: note,
    status: note,
    amount_minor: note,
    currency: note,
  }),
});

function eventIn(body: Buffer): Omit<ProviderEvent, 'signature'> {
  const event = readOrNull(body);
  // No cause: it would quote the body.
  if (event === null) throw new EventRefused('unreadable', 'the body is signed by EasyPay, and is no event of its');
  return {
    eventId: event.id,
    type: event.type,
    reference: event.data.reference,
    claim: claims.get(event.type) ?? 'other',
    payload: event,
  };
}

function readOrNull(body: Buffer): z.infer<typeof eventSchema> | null {
  try {
    return eventSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
  } catch {
    return null;
  }
}

/** By type: it says what happened. `data.status` may be what has become of it since. */
const claims: ReadonlyMap<string, ProviderEvent['claim']> = new Map(
  ['charge', 'capture', 'void', 'refund'].flatMap((kind): [string, ProviderEvent['claim']][] => [
    [`${kind}.approved`, 'approved'],
    [`${kind}.declined`, 'declined'],
    [`${kind}.pending`, 'pending'],
    [`${kind}.requires_action`, 'pending'],
  ]),
);
