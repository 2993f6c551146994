import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { makeCustomer } from '../../prisma/customers.ts';
import { customerIdOf } from '../../workflows/domain/ids.ts';
import { customerFields, customerSchema, toCustomerObject } from '../customer-object.ts';
import { Problem } from '../errors.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, repeatHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body answer with the same customer. Made if absent.'),
});

const body = z
  .strictObject({
    external_id: text(100)
      .optional()
      .describe('Your own id of the customer, unique. It outlives blanking: no name, no address'),
    email: customerFields.email.optional(),
    name: customerFields.name.optional(),
    phone: customerFields.phone.optional().describe('E.164, e.g. "+4930123456"'),
    metadata: customerFields.metadata.default({}),
    test_clock_id: text(100)
      .optional()
      .describe('In test mode, for good: the test clock (`clk_…`) by whose time the customer’s subscriptions go'),
  })
  .meta({ id: 'CreateCustomer' });

const noTestClock = { pointer: '/test_clock_id', detail: 'is no test clock of yours in this mode' };

/** `POST /api/v1/customers`. */
export const createCustomer = merchantRoute(
  {
    operationId: 'createCustomer',
    method: 'post',
    path: '/api/v1/customers',
    summary: 'Create a customer',
    description:
      'Keeps what you know of a payer. Name the customer’s `id` as `customer_id` of payments: they take e-mail address and ' +
      'name from here where they have none of their own, and `GET /api/v1/payments?customer_id=` is the payment history.',
    permission: 'customers:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The customer', schema: customerSchema } },
    problems: [
      'invalid_json',
      'external_id_taken',
      'body_too_large',
      'unsupported_media_type',
      'idempotency_key_reused',
    ],
  },
  async (deps, request, caller) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const id = customerIdOf({ merchantId: caller.merchantId, isTest: caller.isTest, idempotencyKey: key });
    const requestHash = hashOfBody(request.rawBody);
    const { external_id: externalId, email, name, phone, metadata } = request.body;
    const made = await makeCustomer(deps.db, caller, {
      id,
      idempotencyKey: key,
      requestHash,
      externalId: externalId ?? null,
      email: email ?? null,
      name: name ?? null,
      phone: phone ?? null,
      metadata,
      testClockId: request.body.test_clock_id ?? null,
      now: request.receivedAt.toISOString(),
    });
    if (made.kind === 'no_test_clock') throw new Problem('validation_failed', { errors: [noTestClock] });
    if (made.kind === 'external_id_taken') throw new Problem('external_id_taken');
    if (made.customer.request_hash !== requestHash) throw new Problem('idempotency_key_reused');
    return {
      status: 201,
      headers: repeatHeaders(`/api/v1/customers/${id}`, key, made.kind === 'existing'),
      data: toCustomerObject(made.customer),
    };
  },
);
