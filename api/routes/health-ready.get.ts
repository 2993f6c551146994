import { healthRoute } from '../health-route.ts';
import { askReadiness, readinessSchema } from '../probe.ts';

/** `GET /health/ready`: the process can accept payments. */
export const healthReady = healthRoute(
  {
    operationId: 'healthReady',
    path: '/health/ready',
    permission: null,
    summary: 'Can payments be accepted?',
    description: 'Asks the database and Temporal. 503 while one of them does not answer within a second.',
    schema: readinessSchema,
  },
  askReadiness,
);
