import { z } from 'zod';
import { type DiscrepancyRow, discrepancyStatuses } from '../prisma/discrepancies.ts';
import { formatMinor } from '../workflows/domain/money.ts';

/** A discrepancy as operators see it. */
export const discrepancySchema = z
  .object({
    id: z.string(),
    merchant_id: z.string(),
    is_test: z.boolean(),
    payment_id: z.string(),
    object_id: z.string().describe('The payment itself, or the capture, void or refund that it is about'),
    attempt_id: z.string().describe('What was sent to the provider; also the idempotency key that it saw'),
    provider: z.string(),
    recorded: z.string().describe('What we have'),
    reported: z.string().describe('What the provider says'),
    amount: z.string().describe('Decimal string in units of the currency'),
    currency: z.string().describe('ISO 4217'),
    status: z.enum(discrepancyStatuses),
    opened_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable(),
    closed_by: z.string().nullable(),
    closed_reason: z.string().nullable(),
  })
  .meta({ id: 'Discrepancy' });

/** A row as the wire has it. */
export function toDiscrepancyObject(row: DiscrepancyRow): z.infer<typeof discrepancySchema> {
  return {
    ...row,
    amount: formatMinor(BigInt(row.amount), row.currency),
    opened_at: row.opened_at.toISOString(),
    closed_at: row.closed_at?.toISOString() ?? null,
  };
}
