import { z } from 'zod';
import { publicRoute } from '../route.ts';

/** So long others may remember the keys; a new key has to be announced so long before it signs. */
const cachedSeconds = 300;

const schema = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: z.string(),
        kid: z.string(),
        alg: z.literal('EdDSA'),
        use: z.literal('sig'),
      }),
    ),
  })
  .meta({ id: 'Jwks' });

/** `GET /.well-known/jwks.json`: RFC 7517. */
export const getJwks = publicRoute(
  {
    operationId: 'getJwks',
    method: 'get',
    path: '/.well-known/jwks.json',
    summary: 'Public keys of access tokens',
    description:
      'For whoever checks access tokens without asking us. A revoked session cannot be seen that way: see ' +
      '`POST /api/v1/auth/tokens/validate`.',
    permission: null,
    envelope: 'none',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'The keys', schema } },
    problems: [],
  },
  async ({ accessTokens }) => ({
    status: 200,
    headers: { 'Cache-Control': `public, max-age=${cachedSeconds}` },
    data: accessTokens.jwks,
  }),
);
