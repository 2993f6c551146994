import { z } from 'zod';
import { merchantRoute } from '../route.ts';
import { requireTestClock } from '../settled-clock.ts';
import { requireTestClockId, testClockSchema, toTestClockObject } from '../test-clock-object.ts';

/** `GET /api/v1/test-clocks/{id}`. */
export const getTestClock = merchantRoute(
  {
    operationId: 'getTestClock',
    method: 'get',
    path: '/api/v1/test-clocks/{id}',
    summary: 'Read a test clock',
    description: 'What it says, where it is being advanced to, and which subscriptions it waits for.',
    permission: 'test_clocks:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The test clock', schema: testClockSchema } },
    problems: ['not_found'],
  },
  async (deps, { params }, caller) => {
    const clock = await requireTestClock(deps, caller, requireTestClockId(params.id));
    return { status: 200, data: toTestClockObject(clock) };
  },
);
