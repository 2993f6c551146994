import { z } from 'zod';
import { publicRoute } from '../route.ts';

/** `GET /health/live`: the process answers. */
export const healthLive = publicRoute(
  {
    operationId: 'healthLive',
    method: 'get',
    path: '/health/live',
    summary: 'Is the process alive?',
    description: 'Answers as long as the process does, whatever the state of what it depends on.',
    permission: null,
    envelope: 'none',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'Alive', schema: z.object({ status: z.literal('ok') }) } },
    problems: [],
  },
  async () => ({ status: 200, data: { status: 'ok' } }),
);
