import { type Database, run, type Statement } from './database.ts';

export type CountedKeyKind = 'api_key' | 'operator_key';

/** How often a key was used since the last time, and when last. */
export interface KeyUse {
  readonly keyId: string;
  readonly count: number;
  readonly lastUsedAt: Date;
}

const statements: Readonly<Record<CountedKeyKind, Statement>> = {
  api_key: additionTo('api_keys'),
  operator_key: additionTo('operator_keys'),
};

/**
 * Adds uses to the rows of these keys, of any merchant, in one statement. No change of a credential: nobody is told. Rows are
 * locked in the order of their keys, so that processes that write at the same time wait for each other instead of dying.
 */
export async function addKeyUse(db: Database, kind: CountedKeyKind, uses: readonly KeyUse[]): Promise<void> {
  await run(db, statements[kind], [
    uses.map(({ keyId }) => keyId),
    uses.map(({ count }) => count),
    uses.map(({ lastUsedAt }) => lastUsedAt.toISOString()),
  ]);
}

function additionTo(table: 'api_keys' | 'operator_keys'): Statement {
  return {
    name: `add_use_of_${table}`,
    text: `
      WITH used AS (
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) AS u (key_id, count, last_used_at)
      ), locked AS (
        SELECT key_id FROM ${table} WHERE key_id = ANY($1) ORDER BY key_id FOR NO KEY UPDATE
      )
      UPDATE ${table} k
      SET usage_count = k.usage_count + used.count, last_used_at = greatest(k.last_used_at, used.last_used_at)
      FROM used JOIN locked USING (key_id)
      WHERE k.key_id = used.key_id`,
  };
}
