import { z } from 'zod';
import { merchantSettingsSchema } from '../prisma/merchant-settings.ts';
import { type MerchantRow, merchantStatuses } from '../prisma/merchants.ts';
import { requireForm } from './require-form.ts';
import { invitedUserSchema } from './user-object.ts';

const instant = z.iso.datetime();

/** A merchant as the platform and the merchant itself see it. */
export const merchantSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(merchantStatuses).describe('`suspended`: none of its keys and users is served'),
    settings: merchantSettingsSchema.describe('All of them, those that nobody changed too'),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'Merchant' });

/** The same with its first owner, for the answer to its creation alone. */
export const newMerchantSchema = merchantSchema
  .extend({ owner: invitedUserSchema.optional().describe('Whom the request invited; absent where it invited nobody') })
  .meta({ id: 'NewMerchant' });

/** A row as the wire has it. */
export function toMerchantObject(row: MerchantRow): z.infer<typeof merchantSchema> {
  const { request_hash: _hash, ...shown } = row;
  return { ...shown, created_at: row.created_at.toISOString(), updated_at: row.updated_at.toISOString() };
}

/** The id, or `not_found` for text that can be no merchant's id: some are older than the ids of today, or chosen. */
export const requireMerchantId = requireForm(/^mer_[0-9A-Za-z_-]{1,60}$/);
