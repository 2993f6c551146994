import { z } from 'zod';

/** A positive amount in minor units as a decimal string; 18 digits fit a signed 64-bit integer. */
export const amountMinorSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,17}$/, 'must be a positive integer of minor units as a string, at most 18 digits');

/** An ISO 4217 code in form; the bank keeps accounts in any currency. */
export const currencySchema = z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters');

const movementKindSchema = z.enum(['charge', 'authorize', 'capture', 'void', 'refund']);
/** What a movement does: a charge takes from the cardholder and gives to the merchant, an authorization holds what a
 * capture gives to the merchant and a void gives back, and a refund gives back what the merchant had. */
export type MovementKind = z.infer<typeof movementKindSchema>;

const movementFields = {
  kind: movementKindSchema,
  provider: z.string().min(1),
  reference: z.string().min(1),
  idempotency_key: z.string().min(1),
  amount_minor: amountMinorSchema,
  currency: currencySchema,
};

/** What a face asks the bank to move. */
export const movementOrderSchema = z.strictObject(movementFields);
/** What a face asks the bank to move between the accounts of a currency. */
export type MovementOrder = z.infer<typeof movementOrderSchema>;

/** A movement as it stands in the book and as `GET /bank/movements` shows it. */
export const movementSchema = z.strictObject({
  seq: z.int().positive(),
  at: z.iso.datetime(),
  ...movementFields,
  state: z.literal('committed'),
});
/** A committed movement. `seq` counts from 1 without gaps. */
export type Movement = z.infer<typeof movementSchema>;
