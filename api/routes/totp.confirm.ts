import { z } from 'zod';
import { confirmAuthenticator, findAuthenticator } from '../../prisma/authenticators.ts';
import { makeRecoveryCodes, totpStepOf } from '../../runtime/totp.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { totpCode } from '../login-fields.ts';
import { requirePerson } from '../require-person.ts';
import { selfRoute } from '../route.ts';

const body = z
  .strictObject({ code: totpCode.describe('What the authenticator shows now') })
  .meta({ id: 'ConfirmTotp' });

const answer = z
  .object({
    recovery_codes: z
      .array(z.string())
      .describe(
        'Ten, each logs in once in place of a code, should the authenticator be lost. Shown this once: keep them safe',
      ),
  })
  .meta({ id: 'RecoveryCodes' });

/** `POST /api/v1/auth/totp/confirm`. */
export const confirmTotp = selfRoute(
  {
    operationId: 'confirmTotp',
    method: 'post',
    path: '/api/v1/auth/totp/confirm',
    summary: 'Confirm an authenticator',
    description:
      'From now on logins need a code. Sessions that are open stay as they are: who must have a second factor logs in anew. ' +
      'For people alone.',
    permission: 'self',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'The recovery codes', schema: answer } },
    problems: [
      'invalid_json',
      'forbidden',
      'totp_already_confirmed',
      'totp_not_begun',
      'totp_code_refused',
      'body_too_large',
      'unsupported_media_type',
    ],
  },
  async ({ db, secretBox, apiKeyPepper }, request, who) => {
    const { userId } = requirePerson(who);
    const { sealedSecret, isConfirmed } = await findAuthenticator(db, userId);
    if (isConfirmed) throw new Problem('totp_already_confirmed');
    if (sealedSecret === null) throw new Problem('totp_not_begun');
    const step = totpStepOf(secretBox.open(sealedSecret, userId), request.body.code, request.receivedAt);
    if (step === null) throw new Problem('totp_code_refused');
    const { texts, hashes: recoveryCodeHashes } = makeRecoveryCodes(apiKeyPepper);
    const confirmed = { sealedSecret, step, recoveryCodeHashes };
    if (!(await confirmAuthenticator(db, userId, confirmed, actBy(request, who))))
      throw new Problem('totp_already_confirmed');
    return { status: 200, data: { recovery_codes: texts } };
  },
);
