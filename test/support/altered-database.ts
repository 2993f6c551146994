import type { Database } from '../../prisma/database.ts';

/** The database with something between it and its named statements: called before each, with its name. What it throws, the statement throws. */
export function alteredDatabase(db: Database, before: (name: string) => Promise<void> | void): Database {
  const pool = new Proxy(db.pool, {
    get(target, property) {
      if (property !== 'query') return Reflect.get(target, property) as unknown;
      return async (statement: { name: string; text: string; values: unknown[] }) => {
        await before(statement.name);
        return target.query(statement);
      };
    },
  });
  return { ...db, pool };
}
