import { z } from 'zod';
import { settingChangesSchema } from '../../prisma/merchant-settings.ts';
import { changeMerchant } from '../../prisma/merchants.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { requireLiveMode } from '../live-mode.ts';
import { merchantSchema, toMerchantObject } from '../merchant-object.ts';
import { merchantRoute } from '../route.ts';

/** Name, state and fee are the platform's to change. */
const body = z
  .strictObject({ settings: settingChangesSchema.omit({ fee: true }).describe('Those to change; the others stay') })
  .meta({ id: 'UpdateOwnMerchant' });

/** `PUT /api/v1/merchant`. */
export const updateOwnMerchant = merchantRoute(
  {
    operationId: 'updateOwnMerchant',
    method: 'put',
    path: '/api/v1/merchant',
    summary: 'Change your own settings',
    description:
      'Changes the given settings, for both modes, so it takes a key or session of live mode; the others stay. A setting is replaced as a whole, and holds for payments ' +
      'from then on: those that were accepted before keep their terms. The fee, name and state are the platform’s to change.',
    permission: 'merchant:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body,
    responses: { 200: { description: 'The merchant with its changes', schema: merchantSchema } },
    problems: ['invalid_json', 'wrong_mode', 'not_found', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    requireLiveMode(caller);
    const { settings } = request.body;
    const row = await changeMerchant(deps.db, caller.merchantId, { settings }, actBy(request, caller));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toMerchantObject(row) };
  },
);
