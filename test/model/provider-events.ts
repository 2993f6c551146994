import { createHmac, randomBytes } from 'node:crypto';
import type { World } from '../support/world.ts';
import type { Answer } from './outcomes.ts';
import type { EventTrick } from './sequence.ts';

/** An event as EasyPay sent it, or as somebody else would. */
interface Event {
  readonly body: string;
  readonly signature: string;
}

/** Who the tricks are about: a payment and the ids of its movements. */
export interface Subject {
  readonly paymentId: string;
  readonly moves: readonly { readonly id: string; readonly kind: string }[];
  readonly currency: string;
}

/** Longer ago than an event's signature may be. */
const staleAfterSeconds = 3_600;

/** Plays a trick with EasyPay's events about a payment. Returns each answer with whether the event was a genuine one. */
export async function playTrick(
  world: World,
  subject: Subject,
  trick: EventTrick,
): Promise<{ readonly isGenuine: boolean; readonly answer: Answer }[]> {
  const isGenuine = trick !== 'forged' && trick !== 'stale';
  const answers = [];
  for (const event of await eventsFor(world, subject, trick))
    answers.push({ isGenuine, answer: await post(world, event) });
  return answers;
}

async function eventsFor(world: World, subject: Subject, trick: EventTrick): Promise<Event[]> {
  const { easypayWebhookSecret: secret } = world;
  const now = Math.floor(Date.now() / 1_000);
  const made = untrueBody(subject);
  const signed = (body: string) => ({ body, signature: signatureOf(secret, body, now) });
  switch (trick) {
    case 'forged': {
      const [body = made] = await sentBodies(world, subject);
      return [{ body, signature: signatureOf('a secret of somebody else', body, now) }];
    }
    case 'stale':
      return [{ body: made, signature: signatureOf(secret, made, now - staleAfterSeconds) }];
    case 'untrue':
      return [signed(made)];
    case 'twice': {
      const sent = await sentBodies(world, subject);
      const bodies = sent.length === 0 ? [made] : sent;
      return [...bodies, ...bodies].map(signed);
    }
    case 'backwards': {
      const sent = await sentBodies(world, subject);
      return [...sent, made].toReversed().map(signed);
    }
  }
}

/** The bodies of all events that EasyPay has sent about a payment, in order. */
async function sentBodies(world: World, { paymentId }: Subject): Promise<string[]> {
  const { events } = await world.outside<{ events: { body: string }[] }>('/events/easypay');
  return events.map(({ body }) => body).filter((body) => body.includes(`"charge_reference":"${paymentId}"`));
}

/** Says that something happened, or did not, which the provider decides otherwise or not yet. */
function untrueBody({ paymentId, moves, currency }: Subject): string {
  const id = `epe_${randomBytes(12).toString('hex')}`;
  const [odd = 0] = randomBytes(1);
  const about = [{ id: paymentId, kind: 'charge' }, ...moves][odd % (moves.length + 1)];
  const status = odd < 128 ? 'approved' : 'declined';
  const data = { reference: about?.id, charge_reference: paymentId, status, amount_minor: '1', currency };
  return JSON.stringify({ id, type: `${about?.kind}.${status}`, created_at: new Date().toISOString(), data });
}

function signatureOf(secret: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

async function post({ apiUrl }: World, { body, signature }: Event): Promise<Answer> {
  const response = await fetch(`${apiUrl}/api/v1/webhooks/easypay/main`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'easypay-signature': signature },
    body,
  });
  const { code } = (await response.json()) as { code?: string };
  return { status: response.status, code: code ?? null, payment: null, refund: null };
}
