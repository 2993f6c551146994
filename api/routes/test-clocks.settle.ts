import { z } from 'zod';
import { repeatableHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { isSettled, requireTestClock, settledClock, wakeClock } from '../settled-clock.ts';
import { requireTestClockId, testClockSchema, toTestClockObject } from '../test-clock-object.ts';

/** `POST /api/v1/test-clocks/{id}/settle`. */
export const settleTestClock = merchantRoute(
  {
    operationId: 'settleTestClock',
    method: 'post',
    path: '/api/v1/test-clocks/{id}/settle',
    summary: 'Wait until a test clock is settled',
    description:
      'Waits until the clock has arrived and all that was due until then is done: no charge or refund of its subscriptions is ' +
      'on its way. 200 then; 202 when that takes longer than `Prefer: wait=N` (the merchant’s `wait` if absent): ' +
      '`waiting_for` names what it waits for, and the same request waits on.',
    permission: 'test_clocks:write',
    envelope: 'object',
    headers: repeatableHeaders.pick({ prefer: true }),
    params: z.object({ id: z.string() }),
    body: z.strictObject({}).meta({ id: 'SettleTestClock' }),
    responses: {
      200: { description: 'The test clock: all is done', schema: testClockSchema },
      202: { description: 'The test clock, with what it waits for', schema: testClockSchema },
    },
    problems: ['invalid_json', 'not_found', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    const clock = await requireTestClock(deps, caller, requireTestClockId(request.params.id));
    if (!isSettled(clock)) await wakeClock(deps, caller, clock, request.requestId);
    const { prefer } = request.headers;
    const seconds = prefer?.respondAsync === true ? 0 : (prefer?.waitSeconds ?? caller.settings.wait);
    const last = await settledClock(deps, caller, clock, { receivedAt: request.receivedAt, seconds });
    return { status: isSettled(last) ? 200 : 202, data: toTestClockObject(last) };
  },
);
