import { z } from 'zod';
import { askReadiness, readinessSchema } from '../probe.ts';
import { publicRoute } from '../route.ts';

/** `GET /health/ready`: the process can accept payments. */
export const healthReady = publicRoute(
  {
    operationId: 'healthReady',
    method: 'get',
    path: '/health/ready',
    summary: 'Can payments be accepted?',
    description: 'Asks the database and Temporal. 503 while one of them does not answer within a second.',
    permission: null,
    envelope: 'none',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: {
      200: { description: 'Ready', schema: readinessSchema },
      503: { description: 'Not ready', schema: readinessSchema },
    },
    problems: [],
  },
  askReadiness,
);
