import { z } from 'zod';

/** A password to be: its length in characters, and what it may not be, are judged with its owner at hand. */
export const newPassword = z.string().max(1_000).describe('12 to 200 characters; not the e-mail address, not the name');

/** Any text that somebody may send as the password that they have. */
export const givenPassword = z.string().min(1).max(1_000);

/** What an authenticator shows. */
export const totpCode = z.string().regex(/^\d{6}$/, 'must be 6 digits');
