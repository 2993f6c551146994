import { healthRoute } from '../health-route.ts';
import { askReadiness, readinessSchema } from '../probe.ts';

/** `GET /health`: the short answer for people and monitors. */
export const health = healthRoute(
  {
    operationId: 'health',
    path: '/health',
    permission: null,
    summary: 'Is the service well?',
    description: 'The same as `/health/ready`; `/health/detailed` says more.',
    schema: readinessSchema,
  },
  askReadiness,
);
