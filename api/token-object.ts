import { z } from 'zod';
import { isSecondFactorMissing } from './middleware/authorize.ts';
import { type MerchantPermission, type PlatformPermission, permissions } from './permissions.ts';
import type { SessionTokens } from './sessions.ts';

type Permission = MerchantPermission | PlatformPermission;

/** One permission of the catalogue. */
export const permissionName = z
  .enum(Object.keys(permissions) as [Permission, ...Permission[]], 'is not the name of a permission')
  .meta({ id: 'Permission', description: 'As the routes name them' });

/** A token that is asked about: any text that could be one. */
export const tokenText = z.string().min(1).max(4_000);

/** Tokens as the wire has them. */
export const tokensSchema = z
  .object({
    access_token: z.string().describe('For `Authorization: Bearer`: a JWT, of which callers need to know nothing'),
    token_type: z.literal('Bearer'),
    expires_in: z.int().describe('Seconds until the access token expires'),
    refresh_token: z
      .string()
      .nullable()
      .describe('For `POST /api/v1/auth/tokens/refresh`, once. Null: this session cannot be refreshed'),
    refresh_expires_at: z.iso.datetime().nullable(),
    session_id: z.string(),
    permissions: z.array(z.string()).describe('What the session may do'),
    totp_required: z
      .boolean()
      .describe(
        'Whether nothing of the platform is opened before a second factor is given: set up an authenticator, and log in with it',
      ),
  })
  .meta({ id: 'Tokens' });

/** Makes the object that is sent to callers. */
export function toTokensObject(tokens: SessionTokens, now: Date): z.infer<typeof tokensSchema> {
  const { access, refresh, who } = tokens;
  return {
    access_token: access.text,
    token_type: 'Bearer',
    expires_in: access.expiresAt.getTime() / 1_000 - Math.floor(now.getTime() / 1_000),
    refresh_token: refresh?.text ?? null,
    refresh_expires_at: refresh?.expiresAt.toISOString() ?? null,
    session_id: tokens.sessionId,
    permissions: [...who.permissions],
    totp_required: isSecondFactorMissing(who),
  };
}
