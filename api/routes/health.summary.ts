import { z } from 'zod';
import { askReadiness, readinessSchema } from '../probe.ts';
import { publicRoute } from '../route.ts';

/** `GET /health`: the short answer for people and monitors. */
export const health = publicRoute(
  {
    operationId: 'health',
    method: 'get',
    path: '/health',
    summary: 'Is the service well?',
    description: 'The same as `/health/ready`; `/health/detailed` says more.',
    permission: null,
    envelope: 'none',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: {
      200: { description: 'Payments can be accepted', schema: readinessSchema },
      503: { description: 'Payments cannot be accepted', schema: readinessSchema },
    },
    problems: [],
  },
  askReadiness,
);
