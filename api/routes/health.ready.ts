import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { publicRoute } from '../route.ts';

const check = z.enum(['ok', 'unreachable']);
const schema = z.object({
  status: z.enum(['ok', 'unavailable']),
  checks: z.object({ database: check, temporal: check }),
});

const probeTimeoutMs = 1_000;

/** `GET /health/ready`: the process can accept payments. */
export const healthReady = publicRoute(
  {
    operationId: 'healthReady',
    method: 'get',
    path: '/health/ready',
    summary: 'Can payments be accepted?',
    description: 'Asks the database and Temporal. 503 while one of them does not answer within a second.',
    permission: null,
    hasEnvelope: false,
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'Ready', schema }, 503: { description: 'Not ready', schema } },
    problems: [],
  },
  async (deps) => {
    const [database, temporal] = await Promise.all([
      isDatabaseReachable(deps),
      deps.payments.isReachable(probeTimeoutMs),
    ]);
    const isReady = database && temporal;
    const word = (isReachable: boolean) => (isReachable ? 'ok' : 'unreachable');
    return {
      status: isReady ? 200 : 503,
      data: {
        status: isReady ? 'ok' : 'unavailable',
        checks: { database: word(database), temporal: word(temporal) },
      },
    };
  },
);

async function isDatabaseReachable({ db }: ApiDeps): Promise<boolean> {
  const answer = db.pool.query('SELECT 1').then(
    () => true,
    () => false,
  );
  const timeout = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), probeTimeoutMs).unref();
  });
  return Promise.race([answer, timeout]);
}
