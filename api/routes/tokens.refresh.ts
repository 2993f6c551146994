import { z } from 'zod';
import { actByOwner } from '../act-by.ts';
import { publicRoute } from '../route.ts';
import { refreshSession } from '../sessions.ts';
import { text } from '../text.ts';
import { tokensSchema, toTokensObject } from '../token-object.ts';

const body = z
  .strictObject({ refresh_token: text(100).describe('The latest one of the session') })
  .meta({ id: 'RefreshTokens' });

/** `POST /api/v1/auth/tokens/refresh`. */
export const refreshTokens = publicRoute(
  {
    operationId: 'refreshTokens',
    method: 'post',
    path: '/api/v1/auth/tokens/refresh',
    summary: 'Get new tokens for a refresh token',
    description:
      'Each refresh token is used once, and followed by another. Within 30 seconds it may be sent again, should the answer be ' +
      'lost: it answers the same successor, as long as that is unused. Any other second use ends the session, for somebody ' +
      'else has the token.',
    permission: null,
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'The session’s next tokens', schema: tokensSchema } },
    problems: [
      'invalid_json',
      'refresh_refused',
      'merchant_suspended',
      'user_suspended',
      'body_too_large',
      'unsupported_media_type',
      'internal_error',
      'unavailable',
    ],
  },
  async (deps, request) => {
    const tokens = await refreshSession(deps, request.body.refresh_token, actByOwner(request));
    return { status: 200, data: toTokensObject(tokens, request.receivedAt) };
  },
);
