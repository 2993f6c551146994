import { type Database, run } from './database.ts';

/** How often something may fail before it must wait. */
export interface FailureBudget {
  /** Hashed: it stands for an account, an address, or both. */
  readonly key: string;
  readonly failuresMax: number;
  readonly windowMs: number;
}

/** Thrown inside the transaction so that nothing is counted. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly until: Date;

  constructor(until: Date) {
    super('too many failures');
    this.until = until;
  }
}

interface ThrottleRow {
  readonly key: string;
  readonly failures: number;
  readonly window_ends_at: Date;
  readonly locked_until: Date | null;
}

/**
 * Counts a try in all of the budgets before it is made, or in none: a try counts as a failure until it is taken back, so that
 * however many are made at once, by however many processes, no more than the budget are. Null: it may be made. Otherwise:
 * until when it may not.
 */
export async function takeTry(db: Database, budgets: readonly FailureBudget[], now: Date): Promise<Date | null> {
  const keys = budgets.map(({ key }) => key);
  const ends = budgets.map(({ windowMs }) => new Date(now.getTime() + windowMs));
  try {
    await db.prisma.$transaction(async (tx) => {
      const rows = await tx.$queryRaw<ThrottleRow[]>`
        INSERT INTO login_throttles AS t (key, failures, window_ends_at)
        SELECT key, 1, ends_at FROM unnest(${keys}::text[], ${ends}::timestamptz[]) AS asked (key, ends_at)
        ORDER BY key -- all take the locks in one order
        ON CONFLICT (key) DO UPDATE SET
          failures = CASE WHEN t.window_ends_at <= ${now} THEN 1 ELSE t.failures + 1 END,
          window_ends_at = CASE WHEN t.window_ends_at <= ${now} THEN excluded.window_ends_at ELSE t.window_ends_at END,
          locked_until = CASE WHEN t.window_ends_at <= ${now} THEN NULL ELSE t.locked_until END
        RETURNING key, failures, window_ends_at, locked_until`;
      const maxima = new Map(budgets.map(({ key, failuresMax }) => [key, failuresMax]));
      const full = rows.filter((row) => row.locked_until !== null || row.failures > (maxima.get(row.key) ?? 0));
      const untils = full.map((row) => (row.locked_until ?? row.window_ends_at).getTime());
      if (untils.length > 0) throw new Refused(new Date(Math.max(...untils)));
    });
    return null;
  } catch (error) {
    if (error instanceof Refused) return error.until;
    throw error;
  }
}

const lock = {
  name: 'lock_login',
  text: `
    UPDATE login_throttles SET locked_until = $3, window_ends_at = $3
    WHERE key = $1 AND failures >= $2 AND locked_until IS NULL`,
};

/** Locks what has failed as often as it may, from now on for as long as its window. */
export async function lockWhenFull(db: Database, budget: FailureBudget, now: Date): Promise<void> {
  await run(db, lock, [budget.key, budget.failuresMax, new Date(now.getTime() + budget.windowMs)]);
}

const giveBack = {
  name: 'give_back_login_try',
  text: `
    UPDATE login_throttles SET failures = failures - 1
    WHERE key IN (SELECT key FROM login_throttles WHERE key = ANY($1) ORDER BY key FOR UPDATE) AND failures > 0`,
};

/** Takes back a try that did not fail. */
export async function giveTryBack(db: Database, keys: readonly string[]): Promise<void> {
  await run(db, giveBack, [keys]);
}

const forget = { name: 'forget_login_failures', text: 'DELETE FROM login_throttles WHERE key = $1' };

/** Forgets all failures of this key. */
export async function forgetFailures(db: Database, key: string): Promise<void> {
  await run(db, forget, [key]);
}
