import { z } from 'zod';
import type { MovementRow } from '../prisma/movement-list.ts';
import { captureSchema, toCaptureObject } from './capture-object.ts';

/** A refund as merchants see it: all that a capture has, and more. */
export const refundSchema = z
  .object({
    ...captureSchema.shape,
    reason: z.string().nullable(),
    capture_id: z.string().nullable().describe('Which capture is paid back, at providers that want to know'),
  })
  .meta({ id: 'Refund' });

export type RefundObject = z.infer<typeof refundSchema>;

/** A refund's row as the wire has it. */
export function toRefundObject(row: MovementRow): RefundObject {
  return { ...toCaptureObject(row), reason: row.reason, capture_id: row.capture_id };
}
