import { z } from 'zod';
import { text } from './text.ts';

/** What a merchant says about a payment that moves no money: given when it is created, and changeable afterwards. */
export const changeableFields = {
  description: text(500),
  metadata: z
    .record(text(40), text(500))
    .refine((entries) => Object.keys(entries).length <= 50, 'must have at most 50 entries'),
  customer_email: z.email().max(254),
  customer_name: text(200),
};

/** What a payer pays with: a kind, and what stands for the card or wallet. */
export const paymentMethodFields = {
  type: z.enum(['credit_card', 'paypal']),
  card_token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be a token: 1 to 128 letters, digits, dashes or underscores')
    .describe('Stands for the card, e.g. `tok_visa_…`; for `paypal` for the payer’s stored wallet, `tok_paypal_…`'),
};
