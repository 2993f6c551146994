import { vi } from 'vitest';
import type { Database } from '../../prisma/database.ts';
import { until } from './until.ts';

/**
 * Waits until whoever asks the database by the statement of this name, again and again, has seen what is there now and gone on: when it
 * asks for the second time, the first answer has been judged.
 */
export async function untilLookedAgain(db: Database, statementName: string): Promise<void> {
  const query = vi.spyOn(db.pool, 'query');
  try {
    const asks = () => query.mock.calls.filter(([asked]: readonly unknown[]) => nameOf(asked) === statementName).length;
    await until(`somebody asks by ${statementName} twice`, () => asks() >= 2, { everyMs: 5 });
  } finally {
    query.mockRestore();
  }
}

function nameOf(asked: unknown): unknown {
  return typeof asked === 'object' && asked !== null && 'name' in asked ? asked.name : null;
}
