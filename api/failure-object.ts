import { z } from 'zod';
import type { PaymentRow } from '../prisma/payments.ts';

/** Why something failed, as merchants see it. */
export const failureSchema = z.object({
  code: z.string(),
  message: z.string(),
  decline_class: z
    .enum(['retry_same', 'retry_other', 'never'])
    .nullable()
    .describe(
      'What may follow a decline: the same card may succeed later, another provider or card may succeed, or nothing ' +
        'will; null when it was no decline',
    ),
});

/** A row's failure as the wire has it; those of older rows have no class. */
export function toFailureObject(failure: PaymentRow['failure']): z.infer<typeof failureSchema> | null {
  return failure && { code: failure.code, message: failure.message, decline_class: failure.declineClass ?? null };
}
