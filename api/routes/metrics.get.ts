import { z } from 'zod';
import { platformRoute } from '../route.ts';

/** `GET /metrics`: what Prometheus reads. */
export const getMetrics = platformRoute(
  {
    operationId: 'getMetrics',
    method: 'get',
    path: '/metrics',
    summary: 'Numbers of this process',
    description:
      'Requests, their durations and the database pool in Prometheus’ text format. The worker has its own page.',
    permission: 'system:read',
    envelope: 'text',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'The metrics', schema: z.string() } },
    problems: [],
    servesInOutage: true,
  },
  async ({ metrics }) => ({
    status: 200,
    headers: { 'Content-Type': metrics.contentType },
    data: await metrics.text(),
  }),
);
