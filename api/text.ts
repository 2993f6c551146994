import { z } from 'zod';

/**
 * Text that can be stored and shown: at most so many characters, well-formed Unicode, no control characters (they belong
 * in no name or description, and Postgres stores no NUL).
 */
export function text(lengthMax: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(lengthMax)
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode (a surrogate stands alone)')
    .refine((value) => !/\p{Cc}/u.test(value), 'must not contain control characters');
}

/** The same for what people say, who must not say nothing. */
export function words(lengthMax: number): z.ZodString {
  return text(lengthMax).regex(/\S/, 'must not be blank');
}
