import { z } from 'zod';
import type { MovementRow } from '../prisma/movement-list.ts';
import { formatMinor } from '../workflows/domain/money.ts';
import { movementStates } from '../workflows/domain/movement.ts';
import { failureSchema, toFailureObject } from './failure-object.ts';

/** A capture as merchants see it. */
export const captureSchema = z
  .object({
    id: z.string(),
    payment_id: z.string(),
    amount: z.string().describe('Decimal string in units of the currency, e.g. "25.99"'),
    currency: z.string().describe('ISO 4217'),
    status: z
      .enum(movementStates)
      .describe('`unresolved`: the provider never said whether it happened; an operator decides'),
    failure: failureSchema.nullable().describe('Why it failed, or why a person must decide'),
    processor: z.string().describe('The provider'),
    processor_transaction_id: z.string().nullable(),
    processor_response_code: z.string().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    is_test: z.boolean(),
  })
  .meta({ id: 'Capture' });

/** A capture's row as the wire has it. */
export function toCaptureObject(row: MovementRow): z.infer<typeof captureSchema> {
  return {
    id: row.id,
    payment_id: row.payment_id,
    amount: formatMinor(BigInt(row.amount), row.currency),
    currency: row.currency,
    status: row.state,
    failure: toFailureObject(row.failure),
    processor: row.provider,
    processor_transaction_id: row.processor_transaction_id,
    processor_response_code: row.processor_response_code,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    is_test: row.is_test,
  };
}
