import { z } from 'zod';
import { settingChangesSchema } from '../../prisma/merchant-settings.ts';
import { changeMerchant, merchantStatuses } from '../../prisma/merchants.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { merchantSchema, requireMerchantId, toMerchantObject } from '../merchant-object.ts';
import { platformRoute } from '../route.ts';
import { words } from '../text.ts';

const body = z
  .strictObject({
    name: words(200).optional(),
    status: z
      .enum(merchantStatuses)
      .optional()
      .describe('`suspended`: within a second nothing is served to its keys and users; payments under way go on'),
    settings: settingChangesSchema.optional().describe('Those to change; the others stay'),
  })
  .meta({ id: 'UpdateMerchant' });

/** `PUT /api/v1/merchants/{id}`. */
export const updateMerchantRoute = platformRoute(
  {
    operationId: 'updateMerchant',
    method: 'put',
    path: '/api/v1/merchants/{id}',
    summary: 'Change, suspend or activate a merchant',
    description:
      'Changes the given fields and settings; the others stay. A setting is replaced as a whole, and holds for payments from ' +
      'then on: those that were accepted before keep their terms. The same request again changes nothing.',
    permission: 'merchants:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The merchant with its changes', schema: merchantSchema } },
    problems: ['invalid_json', 'not_found', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, operator) => {
    const id = requireMerchantId(request.params.id);
    const row = await changeMerchant(deps.db, id, request.body, actBy(request, operator));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toMerchantObject(row) };
  },
);
