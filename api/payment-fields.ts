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
