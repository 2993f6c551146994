import { z } from 'zod';
import { actByOwner } from '../act-by.ts';
import { totpCode as code, givenPassword } from '../login-fields.ts';
import { publicRoute } from '../route.ts';
import { wishOfKey, wishOfUser } from '../session-wishes.ts';
import { beginSession } from '../sessions.ts';
import { text } from '../text.ts';
import { permissionName, tokensSchema, toTokensObject } from '../token-object.ts';
import { userFields } from '../user-object.ts';

const headers = z.object({
  authorization: z
    .string()
    .optional()
    .describe('For `grant: api_key`: `Bearer` and the API key. Not looked at otherwise.'),
});

const permissions = z
  .array(permissionName)
  .min(1)
  .max(100)
  .transform((given) => [...new Set(given)])
  .optional()
  .describe('What the session may do at most; all that the role or the key allows if absent');

const byPassword = z
  .strictObject({
    grant: z.literal('password'),
    merchant_id: text(100).optional().describe('Absent for those who act for the platform'),
    email: userFields.email,
    password: givenPassword,
    mode: z.enum(['test', 'live']).optional().describe('With `merchant_id`: the mode of the session, for all its life'),
    totp_code: code.optional().describe('The code that the authenticator shows, for who has set one up'),
    recovery_code: text(100).optional().describe('Instead of `totp_code`, for who has lost the authenticator'),
    permissions,
  })
  .superRefine(({ merchant_id: merchantId, mode, totp_code: totp, recovery_code: recovery }, context) => {
    const refuse = (member: string, message: string) => context.addIssue({ code: 'custom', path: [member], message });
    if (merchantId !== undefined && mode === undefined) refuse('mode', 'is needed with merchant_id: test or live');
    if (merchantId === undefined && mode !== undefined) refuse('mode', 'is for users of a merchant alone');
    if (totp !== undefined && recovery !== undefined) refuse('recovery_code', 'must not be sent beside totp_code');
  });

const byApiKey = z.strictObject({ grant: z.literal('api_key'), permissions });

const body = z.discriminatedUnion('grant', [byPassword, byApiKey]).meta({ id: 'CreateTokens' });

/** `POST /api/v1/auth/tokens`: a login, or a key that asks for a token. */
export const createTokens = publicRoute(
  {
    operationId: 'createTokens',
    method: 'post',
    path: '/api/v1/auth/tokens',
    summary: 'Log in, or get an access token for an API key',
    description:
      '`password`: a user logs in, and gets an access token for a quarter of an hour and a refresh token for 30 days; the ' +
      'session lasts 90 days at most. `api_key`: a key gets an access token to hand on, with the same permissions or fewer, ' +
      'and no refresh token; the key’s own rules hold for the token too. Keys that require signatures get none.',
    permission: null,
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The session’s tokens', schema: tokensSchema } },
    problems: [
      'invalid_json',
      'unauthorized',
      'api_key_expired',
      'api_key_revoked',
      'login_refused',
      'totp_code_required',
      'totp_code_refused',
      'signature_required',
      'forbidden',
      'merchant_suspended',
      'user_suspended',
      'address_not_allowed',
      'outside_allowed_hours',
      'body_too_large',
      'unsupported_media_type',
      'login_locked',
      'internal_error',
      'unavailable',
    ],
  },
  async (deps, request) => {
    const from = { address: request.origin, now: request.receivedAt };
    const wish =
      request.body.grant === 'password'
        ? await wishOfUser(deps, { ...loginOf(request.body), ...from }, request.body)
        : await wishOfKey(deps, { authorization: request.headers.authorization, ...from }, request.body);
    const tokens = await beginSession(deps, wish, actByOwner(request));
    return { status: 201, data: toTokensObject(tokens, from.now) };
  },
);

function loginOf({ merchant_id: merchantId, email, password, ...given }: z.infer<typeof byPassword>) {
  const { totp_code: totpCode, recovery_code: recoveryCode } = given;
  return { merchantId: merchantId ?? null, email, password, totpCode, recoveryCode };
}
