import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { byAccessToken, subjectOf } from '../identify.ts';
import type { Principal } from '../principal.ts';
import { selfRoute } from '../route.ts';
import { tokenText } from '../token-object.ts';

const body = z.strictObject({ token: tokenText.describe('An access token') }).meta({ id: 'ValidateToken' });

const schema = z
  .discriminatedUnion('active', [
    z.object({
      active: z.literal(true),
      subject: z.string().describe('The user or API key that it stands for'),
      session_id: z.string(),
      permissions: z.array(z.string()).describe('What it allows now'),
      expires_at: z.iso.datetime(),
    }),
    z.object({ active: z.literal(false) }),
  ])
  .meta({ id: 'TokenValidity' });

/** `POST /api/v1/auth/tokens/validate`: RFC 7662 in our words. */
export const validateToken = selfRoute(
  {
    operationId: 'validateToken',
    method: 'post',
    path: '/api/v1/auth/tokens/validate',
    summary: 'Ask whether an access token is good',
    description:
      'For services that are handed access tokens of their own merchant, in their own mode. Any other text is not active, ' +
      'whatever it is: expired, revoked, somebody else’s, a refresh token.',
    permission: 'self',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'What the token is worth now', schema } },
    problems: ['invalid_json', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, who) => {
    const holder = await holderOf(deps, request.body.token, request.receivedAt);
    const isOwn = holder !== null && realmOf(holder) === realmOf(who);
    return { status: 200, data: isOwn ? validityOf(holder) : { active: false } };
  },
);

/** Whose the token is; null: nobody's who would be served. */
async function holderOf(deps: ApiDeps, token: string, now: Date): Promise<Principal | null> {
  try {
    const { principal, outage } = await byAccessToken(deps, token, now);
    if (outage !== null) throw outage;
    return principal;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

/** To whom a principal belongs, and in which mode. */
function realmOf(who: Principal): string {
  return who.kind === 'platform' ? 'platform' : JSON.stringify([who.merchantId, who.isTest]);
}

function validityOf({ credential, permissions }: Principal): z.infer<typeof schema> {
  if (credential.kind !== 'session') throw new Error('an access token stood for something else than a session');
  return {
    active: true,
    subject: subjectOf(credential.userId, credential.key?.keyId),
    session_id: credential.sessionId,
    permissions: [...permissions],
    expires_at: new Date(credential.expiresAt * 1_000).toISOString(),
  };
}
