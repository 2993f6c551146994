import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  createWebhookEndpoint,
  findWebhookEndpoint,
  type MadeWebhookEndpoint,
} from '../../prisma/webhook-endpoints.ts';
import { AddressRefused } from '../../runtime/address-guard.ts';
import { webhookEndpointIdOf } from '../../workflows/domain/ids.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import type { Caller } from '../principal.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';
import { webUrlProblem } from '../web-url.ts';
import { eventType, newWebhookEndpointSchema, toWebhookEndpointObject } from '../webhook-object.ts';

const activeMax = 20;
const urlLengthMax = 2_000;
const secretBytes = 32;

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body answer with the same endpoint. Made if absent.'),
});

const body = z
  .strictObject({
    url: text(urlLengthMax).describe('Where events are posted to: https, or http in test mode'),
    description: text(500).optional(),
    event_types: z
      .array(eventType)
      .max(100)
      .optional()
      .describe('Which events to send; all of them if absent or empty'),
  })
  .meta({ id: 'CreateWebhookEndpoint' });

/** `POST /api/v1/webhooks`. */
export const createWebhook = merchantRoute(
  {
    operationId: 'createWebhook',
    method: 'post',
    path: '/api/v1/webhooks',
    summary: 'Create a webhook endpoint',
    description:
      'From now on events are posted to this URL, signed with the `secret` of the answer (Standard Webhooks). A repeat with ' +
      'the same `Idempotency-Key` answers the same endpoint, secret included. At most 20 endpoints may be active.',
    permission: 'webhooks:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The endpoint, with its secret', schema: newWebhookEndpointSchema } },
    problems: [
      'invalid_json',
      'too_many_webhook_endpoints',
      'body_too_large',
      'unsupported_media_type',
      'validation_failed',
      'idempotency_key_reused',
    ],
  },
  async (deps, request, caller) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const { merchantId, isTest } = caller;
    const id = webhookEndpointIdOf({ merchantId, isTest, idempotencyKey: key });
    const requestHash = hashOfBody(request.rawBody);
    const existing = await findWebhookEndpoint(deps.db, caller, id);
    const made =
      existing === null
        ? await make(deps, caller, { id, key, requestHash, ...request.body })
        : { kind: 'existing' as const, endpoint: existing };
    if (made.kind === 'full') throw new Problem('too_many_webhook_endpoints');
    const { kind, endpoint } = made;
    if (endpoint.request_hash !== requestHash) throw new Problem('idempotency_key_reused');
    return {
      status: 201,
      headers: { 'Idempotency-Key': key, ...(kind === 'existing' ? { 'Idempotent-Replayed': 'true' } : {}) },
      data: {
        ...toWebhookEndpointObject(endpoint),
        secret: deps.secretBox.open(endpoint.secret, endpoint.id),
      },
    };
  },
);

interface Wanted extends z.infer<typeof body> {
  readonly id: string;
  readonly key: string;
  readonly requestHash: string;
}

async function make(deps: ApiDeps, caller: Caller, wanted: Wanted): Promise<MadeWebhookEndpoint> {
  await requireUrl(deps, caller, wanted.url);
  const endpoint = {
    id: wanted.id,
    idempotencyKey: wanted.key,
    requestHash: wanted.requestHash,
    url: wanted.url,
    description: wanted.description ?? null,
    eventTypes: [...new Set(wanted.event_types)],
    secret: deps.secretBox.seal(`whsec_${randomBytes(secretBytes).toString('base64')}`, wanted.id),
  };
  return createWebhookEndpoint(deps.db, caller, endpoint, activeMax);
}

/** Throws `validation_failed` for a URL that events may not go to. */
async function requireUrl(deps: ApiDeps, { isTest }: Caller, given: string): Promise<void> {
  const wrong = webUrlProblem(given, isTest);
  if (wrong !== null) throw refused(wrong);
  if (given.includes('#')) throw refused('must not have a fragment');
  try {
    await deps.addressGuard.addressOf(new URL(given).hostname.replaceAll(/^\[|\]$/g, ''));
  } catch (error) {
    if (error instanceof AddressRefused) throw refused('must not lead to a private or local address');
    // A name that is not known yet may be tomorrow, and is judged again at every connection.
  }
}

function refused(detail: string): Problem {
  return new Problem('validation_failed', { errors: [{ pointer: '/url', detail }] });
}
