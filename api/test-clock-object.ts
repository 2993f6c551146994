import { z } from 'zod';
import type { TestClockRow } from '../prisma/test-clocks.ts';
import { requireForm } from './require-form.ts';
import { text } from './text.ts';

const instant = z.iso.datetime();

/** What a merchant may call a clock. */
export const testClockName = text(200);

/** Whether a clock may say this instant, in ISO 8601: far enough from where dates end for every period that follows. */
export function isClockTime(time: string): boolean {
  return time >= '2000' && time < '2200';
}

/** A test clock as its merchant sees it. */
export const testClockSchema = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    status: z.enum(['ready', 'advancing']).describe('`ready`: it stands still, and can be advanced'),
    frozen_time: instant.describe('What the clock says: the time of the subscriptions of its customers'),
    advancing_to: instant.nullable().describe('Null while it stands still'),
    waiting_for: z
      .array(z.string())
      .describe(
        'Subscriptions that are not done with what is due at this time, such as a charge on its way: ten of them at most',
      ),
    created_at: instant,
    updated_at: instant,
    is_test: z.literal(true),
  })
  .meta({ id: 'TestClock' });

/** A row as the wire has it. */
export function toTestClockObject(row: TestClockRow): z.infer<typeof testClockSchema> {
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    frozen_time: row.now.toISOString(),
    advancing_to: row.target?.toISOString() ?? null,
    waiting_for: [...row.waiting_for],
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    is_test: true,
  };
}

/** The id, or `not_found` for text that can be no test clock's. */
export const requireTestClockId = requireForm(/^clk_[0-9a-z]{26}$/);
