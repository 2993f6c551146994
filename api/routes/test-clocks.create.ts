import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { makeTestClock } from '../../prisma/test-clocks.ts';
import { testClockIdOf } from '../../workflows/domain/ids.ts';
import { Problem } from '../errors.ts';
import { instantMember } from '../instant.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, repeatHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { isClockTime, testClockName, testClockSchema, toTestClockObject } from '../test-clock-object.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body answer with the same clock. Made if absent.'),
});

const body = z
  .strictObject({
    name: testClockName.optional(),
    frozen_time: instantMember
      .refine(isClockTime, 'must be in the years 2000 to 2199')
      .describe('What the clock says at first, e.g. "2026-01-31T09:00:00Z"'),
  })
  .meta({ id: 'CreateTestClock' });

/** `POST /api/v1/test-clocks`. */
export const createTestClock = merchantRoute(
  {
    operationId: 'createTestClock',
    method: 'post',
    path: '/api/v1/test-clocks',
    summary: 'Create a test clock',
    description:
      'Test mode only. The clock stands still until it is advanced. Name its `id` as `test_clock_id` of a new customer: all ' +
      'subscriptions of that customer go by it.',
    permission: 'test_clocks:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The test clock', schema: testClockSchema } },
    problems: ['invalid_json', 'body_too_large', 'unsupported_media_type', 'idempotency_key_reused', 'wrong_mode'],
  },
  async (deps, request, caller) => {
    if (!caller.isTest)
      throw new Problem('wrong_mode', { detail: 'Time stands still in test mode alone: use a test key.' });
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const id = testClockIdOf({ merchantId: caller.merchantId, isTest: caller.isTest, idempotencyKey: key });
    const requestHash = hashOfBody(request.rawBody);
    const { isNew, clock } = await makeTestClock(deps.db, caller, {
      id,
      idempotencyKey: key,
      requestHash,
      name: request.body.name ?? null,
      frozenTime: request.body.frozen_time,
      now: request.receivedAt.toISOString(),
    });
    if (clock.request_hash !== requestHash) throw new Problem('idempotency_key_reused');
    return {
      status: 201,
      headers: repeatHeaders(`/api/v1/test-clocks/${id}`, key, !isNew),
      data: toTestClockObject(clock),
    };
  },
);
