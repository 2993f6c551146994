import { z } from 'zod';
import { text } from './text.ts';

const yearMax = 9999;

const instant = (error: string) =>
  z.iso
    .datetime({ offset: true, error })
    .refine((value) => !/\.\d{4}/.test(value), 'must have at most milliseconds')
    .transform((value) => new Date(value))
    .refine((date) => date.getUTCFullYear() >= 1 && date.getUTCFullYear() <= yearMax, 'must be in the years 1 to 9999')
    .transform((date) => date.toISOString());

/** An instant in a body: ISO 8601 with `Z` or an offset, at most milliseconds. Its value is in UTC. */
export const instantMember = instant('must be an instant such as 2026-01-31T23:59:59Z');

/** The same in a query. */
export const instantParameter = instant(
  'must be an instant such as 2026-01-31T23:59:59Z; write "+" of an offset as %2B',
);

/** The position in a list that is ordered by `created_at` and id: what Postgres can compare with, whoever wrote the cursor. */
export const createdPosition = z.tuple([instantParameter, text(100)]);
