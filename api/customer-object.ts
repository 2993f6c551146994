import { z } from 'zod';
import type { CustomerRow } from '../prisma/customers.ts';
import { customerIdForm } from '../workflows/domain/ids.ts';
import { changeableFields } from './payment-fields.ts';
import { requireForm } from './require-form.ts';
import { text } from './text.ts';

const instant = z.iso.datetime();

/** What a merchant says about a customer: given when it is made, and changeable afterwards. */
export const customerFields = {
  email: changeableFields.customer_email,
  name: changeableFields.customer_name,
  phone: text(20).regex(/^\+[1-9]\d{6,14}$/, 'must be a number in E.164: + and 7 to 15 digits'),
  metadata: changeableFields.metadata,
};

/** Whether we still keep who a customer is. */
export const customerStatus = z.enum(['active', 'blanked'], 'must be active or blanked');

/** A customer as its merchant sees it. */
export const customerSchema = z
  .object({
    id: z.string(),
    status: customerStatus.describe('`blanked`: its data were removed for good'),
    external_id: z.string().nullable(),
    email: z.string().nullable(),
    name: z.string().nullable(),
    phone: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    created_at: instant,
    updated_at: instant,
    blanked_at: instant.nullable(),
    test_clock_id: z.string().nullable().describe('Whose time its subscriptions go by; null: the real one'),
    is_test: z.boolean(),
  })
  .meta({ id: 'Customer' });

/** A row as the wire has it. */
export function toCustomerObject(row: CustomerRow): z.infer<typeof customerSchema> {
  const { request_hash: _hash, clock_now: _now, ...shown } = row;
  return {
    ...shown,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    blanked_at: row.blanked_at?.toISOString() ?? null,
  };
}

/** The id, or `not_found` for text that can be no customer's id. */
export const requireCustomerId = requireForm(customerIdForm);
