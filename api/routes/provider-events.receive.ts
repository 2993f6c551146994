import { z } from 'zod';
import { ProviderFault } from '../../activities/providers/provider.ts';
import { EventRefused, type ProviderEvent, type ProviderEvents } from '../../activities/providers/provider-events.ts';
import {
  type EventSubject,
  findSubject,
  settleProviderEvents,
  storeProviderEvent,
} from '../../prisma/provider-events.ts';
import { findCardNumber } from '../../workflows/domain/card-number.ts';
import { isRecorded } from '../../workflows/domain/provider-claim.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { bytesBody, publicRoute, type RouteRequest } from '../route.ts';

const retryAfterSeconds = '30';

/** `POST /api/v1/webhooks/{provider}/{account_id}`. */
export const receiveProviderEvent = publicRoute(
  {
    operationId: 'receiveProviderEvent',
    method: 'post',
    path: '/api/v1/webhooks/{provider}/{account_id}',
    summary: 'Receive an event of a payment provider',
    description:
      'For providers, not for merchants: the address that a provider posts its events to. The event proves itself by the ' +
      'provider’s signature over the body. It is a hint: what it says is asked for again before anything changes. A repeat ' +
      'has no effect.',
    permission: null,
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ provider: z.string(), account_id: z.string() }),
    body: bytesBody,
    responses: {
      200: {
        description: 'The event is stored',
        schema: z.object({
          id: z.string(),
          status: z
            .enum(['pending', 'processed', 'ignored'])
            .describe('`pending`: what it is about is being looked at; `ignored`: it is about nothing of ours'),
        }),
      },
    },
    problems: [
      'event_refused',
      'not_found',
      'body_too_large',
      'unsupported_media_type',
      'internal_error',
      'unavailable',
    ],
  },
  async (deps, request) => {
    const { provider, account_id: accountId } = request.params;
    const account = deps.providerEvents.get(`${provider}/${accountId}`);
    if (account === undefined) throw new Problem('not_found');
    const event = await readProven(account, request);
    const now = request.receivedAt.toISOString();
    const { type, eventId, payload, signature, reference, claim } = event;
    if (findCardNumber({ type, eventId, reference, payload }) !== null) throw new Problem('card_number_refused');
    const received = { source: provider, accountId, eventId, type, payload, signature, reference, claim, now };
    const { kind, id, status } = await storeProviderEvent(deps.db, received);
    if (kind === 'known' || reference === null || status !== 'pending') return { status: 200, data: { id, status } };
    return { status: 200, data: { id, status: await handOn(deps, { id, source: provider, reference, claim, now }) } };
  },
);

/** The event, or the problem that it is none. Messages of refusals repeat nothing of the event. */
async function readProven(
  account: ProviderEvents,
  { body, sentHeaders }: Pick<RouteRequest<unknown, unknown, Buffer>, 'body' | 'sentHeaders'>,
): Promise<ProviderEvent> {
  try {
    return await account.read(body, sentHeaders);
  } catch (error) {
    if (error instanceof EventRefused) {
      if (error.reason === 'unreadable')
        throw new Problem('validation_failed', { detail: error.message, cause: error });
      const headers = { 'WWW-Authenticate': 'Signature' }; // RFC 9110 wants a challenge: how to prove an event
      throw new Problem('event_refused', { detail: error.message, headers, cause: error });
    }
    if (!(error instanceof ProviderFault)) throw error;
    const detail = 'The event cannot be checked now: send it again.';
    throw new Problem('unavailable', { detail, headers: { 'Retry-After': retryAfterSeconds }, cause: error });
  }
}

/** Settles what is about nothing of ours or tells nothing new, and has the rest looked at; the sweep does so where Temporal is away. */
async function handOn(
  deps: ApiDeps,
  event: { readonly id: string; readonly source: string; readonly reference: string; readonly now: string } & Pick<
    ProviderEvent,
    'claim'
  >,
): Promise<'pending' | 'processed' | 'ignored'> {
  const subject = await findSubject(deps.db, event.reference);
  if (subject === null || isRecorded(event.claim, event.source, subject.attempts)) {
    const status = subject === null ? 'ignored' : 'processed';
    await settleProviderEvents(deps.db, [event.id], event.now, status);
    return status;
  }
  await tell(deps, subject, event.id);
  return 'pending';
}

async function tell({ payments, logger }: ApiDeps, subject: EventSubject, eventId: string): Promise<void> {
  try {
    await payments.tellProviderEvent(subject, eventId);
  } catch (err) {
    const about = { payment_id: subject.paymentId, request_id: subject.correlationId, provider_event_id: eventId };
    logger.warn({ ...about, err }, 'a provider’s event is not handed on yet: the sweep will do it');
  }
}
