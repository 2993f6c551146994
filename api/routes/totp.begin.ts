import { z } from 'zod';
import { beginAuthenticator } from '../../prisma/authenticators.ts';
import { findPasswordOwner } from '../../prisma/logins.ts';
import { makeTotpSecret, totpUrl } from '../../runtime/totp.ts';
import { requireCurrentPassword } from '../current-password.ts';
import { Problem } from '../errors.ts';
import { givenPassword } from '../login-fields.ts';
import { requirePerson } from '../require-person.ts';
import { selfRoute } from '../route.ts';

const answer = z
  .object({
    secret: z.string().describe('Base32, for who cannot scan the URL'),
    otpauth_url: z.string().describe('For a QR code: authenticator apps read it. SHA-1, 6 digits, 30 seconds'),
  })
  .meta({ id: 'NewAuthenticator' });

/** `POST /api/v1/auth/totp`. */
export const beginTotp = selfRoute(
  {
    operationId: 'beginTotp',
    method: 'post',
    path: '/api/v1/auth/totp',
    summary: 'Set up an authenticator',
    description:
      'Makes a secret for an authenticator app and shows it this once. It counts from when a code of it is confirmed; another ' +
      'call before that makes another secret. Too many wrong ones must wait, from wherever they come. For people alone.',
    permission: 'self',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body: z.strictObject({ password: givenPassword }).meta({ id: 'BeginTotp' }),
    responses: { 200: { description: 'The secret', schema: answer } },
    problems: [
      'invalid_json',
      'forbidden',
      'totp_already_confirmed',
      'login_locked',
      'body_too_large',
      'unsupported_media_type',
      'unavailable',
    ],
  },
  async (deps, request, who) => {
    const { db, secretBox } = deps;
    const { userId } = requirePerson(who);
    const owner = await findPasswordOwner(db, userId);
    await requireCurrentPassword(deps, request, { userId, ...owner }, request.body.password, '/password');
    const secret = makeTotpSecret();
    if (!(await beginAuthenticator(db, userId, secretBox.seal(secret, userId))))
      throw new Problem('totp_already_confirmed');
    return { status: 200, data: { secret, otpauth_url: totpUrl(secret, owner.email) } };
  },
);
