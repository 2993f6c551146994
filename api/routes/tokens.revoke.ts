import { z } from 'zod';
import { actByOwner } from '../act-by.ts';
import { publicRoute } from '../route.ts';
import { endSession } from '../sessions.ts';
import { tokenText } from '../token-object.ts';

const body = z
  .strictObject({ token: tokenText.describe('A refresh token, used or not, or an access token that has not expired') })
  .meta({ id: 'RevokeToken' });

/** `POST /api/v1/auth/tokens/revoke`: RFC 7009 in our words. */
export const revokeToken = publicRoute(
  {
    operationId: 'revokeToken',
    method: 'post',
    path: '/api/v1/auth/tokens/revoke',
    summary: 'Log out',
    description:
      'Ends the session of the token, on all processes within a second: neither its access tokens nor its refresh tokens are ' +
      'worth anything then. The answer is the same for a text that was worth nothing before.',
    permission: null,
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'The token is worth nothing', schema: z.object({ revoked: z.literal(true) }) } },
    problems: ['invalid_json', 'body_too_large', 'unsupported_media_type', 'internal_error', 'unavailable'],
  },
  async (deps, request) => {
    await endSession(deps, request.body.token, actByOwner(request));
    return { status: 200, data: { revoked: true } };
  },
);
