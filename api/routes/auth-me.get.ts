import { z } from 'zod';
import { isSecondFactorMissing } from '../middleware/authorize.ts';
import type { Credential, Principal } from '../principal.ts';
import { selfRoute } from '../route.ts';

const schema = z
  .object({
    kind: z.enum(['merchant', 'platform']).describe('For one merchant, or across all of them'),
    actor: z.string().describe('As the audit trail names it'),
    merchant_id: z.string().nullable(),
    mode: z.enum(['test', 'live']).nullable(),
    role: z.string().nullable().describe('Null: a key has none'),
    permissions: z.array(z.string()),
    credential: z.object({
      kind: z.enum(['api_key', 'operator_key', 'session']),
      id: z.string().describe('The key’s public id, or the session’s'),
      expires_at: z.iso.datetime().nullable().describe('When the key or the access token expires; null: it does not'),
    }),
    has_totp: z.boolean().describe('Whether a second factor was given at login'),
    totp_required: z.boolean().describe('Whether one must be, before anything of the platform is opened'),
  })
  .meta({ id: 'Me' });

/** `GET /api/v1/auth/me`. */
export const getMe = selfRoute(
  {
    operationId: 'getMe',
    method: 'get',
    path: '/api/v1/auth/me',
    summary: 'Who am I?',
    description: 'Whom the key or token of this request stands for, and what it allows.',
    permission: 'self',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'Whoever asks', schema } },
    problems: [],
  },
  async (_deps, _request, who) => ({ status: 200, data: toMeObject(who) }),
);

function toMeObject(who: Principal): z.infer<typeof schema> {
  const { kind, actor, permissions, credential } = who;
  const session = credential.kind === 'session' ? credential : null;
  return {
    kind,
    actor,
    merchant_id: who.kind === 'merchant' ? who.merchantId : null,
    mode: who.kind === 'merchant' ? (who.isTest ? 'test' : 'live') : null,
    role: session?.role ?? null,
    permissions: [...permissions],
    credential: toCredentialObject(credential),
    has_totp: session?.hasTotp ?? false,
    totp_required: isSecondFactorMissing(who),
  };
}

function toCredentialObject(credential: Credential): z.infer<typeof schema>['credential'] {
  const { kind } = credential;
  const shown = (at: Date | null) => at?.toISOString() ?? null;
  switch (credential.kind) {
    case 'api_key':
      return { kind, id: credential.keyId, expires_at: shown(credential.key.expiresAt) };
    case 'operator_key':
      return { kind, id: credential.keyId, expires_at: shown(credential.expiresAt) };
    case 'session':
      return { kind, id: credential.sessionId, expires_at: shown(new Date(credential.expiresAt * 1_000)) };
  }
}
