import { z } from 'zod';
import { beginAdvance, type TestClockRow } from '../../prisma/test-clocks.ts';
import { periodStart } from '../../workflows/domain/billing/calendar.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { instantMember } from '../instant.ts';
import type { Caller } from '../principal.ts';
import { repeatableHeaders } from '../request-headers.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import { requireTestClock, settledClock, wakeClock } from '../settled-clock.ts';
import { isClockTime, requireTestClockId, testClockSchema, toTestClockObject } from '../test-clock-object.ts';

const headers = repeatableHeaders.pick({ prefer: true });

const body = z
  .strictObject({
    to: instantMember
      .refine(isClockTime, 'must be in the years 2000 to 2199')
      .describe('Later than what the clock says, by two years at most'),
  })
  .meta({ id: 'AdvanceTestClock' });

const yearsMax = 2;

/** `POST /api/v1/test-clocks/{id}/advance`. */
export const advanceTestClock = merchantRoute(
  {
    operationId: 'advanceTestClock',
    method: 'post',
    path: '/api/v1/test-clocks/{id}/advance',
    summary: 'Advance a test clock',
    description:
      'Everything that is due on the way is done, in order, each at its own time. 202 at once, or after `Prefer: wait=N` ' +
      'seconds while it is still on its way; 200 when it has arrived. The same `to` again is a repeat.',
    permission: 'test_clocks:write',
    envelope: 'object',
    headers,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The test clock: it has arrived', schema: testClockSchema },
      202: { description: 'The test clock, on its way', schema: testClockSchema },
    },
    problems: ['invalid_json', 'not_found', 'test_clock_advancing', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    const clock = await sentOut(deps, request, caller);
    if (clock.status === 'advancing') await wakeClock(deps, caller, clock, request.requestId);
    const { waitSeconds, respondAsync } = request.headers.prefer ?? { waitSeconds: null, respondAsync: false };
    const seconds = respondAsync ? 0 : (waitSeconds ?? 0);
    const last = await settledClock(deps, caller, clock, { receivedAt: request.receivedAt, seconds });
    return { status: last.status === 'ready' ? 200 : 202, data: toTestClockObject(last) };
  },
);

type AdvanceRequest = RouteRequest<z.infer<typeof headers>, { id: string }, z.infer<typeof body>>;

/** The clock, on its way to where it is wanted or there already. */
async function sentOut(
  deps: ApiDeps,
  { params, body: { to }, receivedAt }: AdvanceRequest,
  caller: Caller,
): Promise<TestClockRow> {
  const clock = await requireTestClock(deps, caller, requireTestClockId(params.id));
  const from = clock.now.toISOString();
  if (isThere(clock, to)) return clock;
  if (clock.status === 'advancing') throw new Problem('test_clock_advancing');
  if (to < from) throw notValid(`must be later than what the clock says, ${from}`);
  const latest = periodStart(clock.now, { unit: 'year', count: yearsMax }, 1, 'UTC').toISOString();
  if (to > latest) throw notValid(`must be at most ${yearsMax} years on, ${latest}: advance in several steps`);
  const now = receivedAt.toISOString();
  const begun = await beginAdvance(deps.db, caller, clock.id, { from, target: to, now });
  if (begun !== null) return begun;
  const other = await requireTestClock(deps, caller, clock.id); // somebody else was faster
  if (isThere(other, to)) return other;
  throw new Problem('test_clock_advancing');
}

/** Whether it stands at this instant, or is on its way there. */
function isThere({ now, target }: TestClockRow, to: string): boolean {
  return (target ?? now).toISOString() === to;
}

function notValid(detail: string): Problem {
  return new Problem('validation_failed', { errors: [{ pointer: '/to', detail }] });
}
