import { z } from 'zod';
import { removeExpired } from '../../prisma/cleanup.ts';
import { platformRoute } from '../route.ts';

const count = z.int().min(0);

const schema = z
  .object({
    refresh_tokens: count,
    sessions: count.describe('Those that ended more than a day ago'),
    nonces: count.describe('Of signed requests'),
    login_addresses: count.describe('That nobody has logged in from for 90 days'),
    login_throttles: count.describe('Counts of failed logins'),
  })
  .meta({ id: 'Cleanup' });

/** `POST /api/v1/auth/cleanup`. */
export const cleanUp = platformRoute(
  {
    operationId: 'cleanUp',
    method: 'post',
    path: '/api/v1/auth/cleanup',
    summary: 'Remove what has expired',
    description:
      'Removes refresh tokens, sessions, nonces, addresses of logins and counts of failed logins that are over, and says how many of each. A schedule ' +
      'does the same every hour. A call removes thousands of each at most: repeat it until it answers none.',
    permission: 'tokens:cleanup',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body: z.strictObject({}).meta({ id: 'CleanUp' }),
    responses: { 200: { description: 'What was removed', schema } },
    problems: ['invalid_json', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request) => {
    const removed = await removeExpired(deps.db, request.receivedAt);
    const data: z.infer<typeof schema> = {
      refresh_tokens: removed.refreshTokens,
      sessions: removed.sessions,
      nonces: removed.nonces,
      login_addresses: removed.loginAddresses,
      login_throttles: removed.loginThrottles,
    };
    return { status: 200, data };
  },
);
