import type { Database } from '../prisma/database.ts';
import { addKeyUse, type CountedKeyKind, type KeyUse } from '../prisma/key-usage.ts';
import type { Logger } from '../runtime/logger.ts';

/** Counts how often keys are used, and when last, and writes that down in batches. */
export interface KeyUsage {
  /** A key proved itself. */
  used(kind: CountedKeyKind, keyId: string, at: Date): void;
  /** Writes what is counted, and stops. */
  close(): Promise<void>;
}

const flushEveryMs = 5_000;
/** More keys than this between two flushes are not counted: memory stays bounded while the database is away. */
const keysMax = 10_000;

/**
 * Counts in memory and adds to the rows every 5 seconds and at the end. What a crash loses is the counts of these 5 seconds.
 * While the database is away, counts are kept for the next time; a commit whose answer was lost is counted twice then.
 */
export function createKeyUsage(db: Database, logger: Logger, everyMs = flushEveryMs): KeyUsage {
  const counts = { api_key: countsOf(db, 'api_key'), operator_key: countsOf(db, 'operator_key') };
  let writing = Promise.resolve();

  const write = async () => {
    try {
      await counts.api_key.write();
      await counts.operator_key.write();
    } catch (err) {
      logger.warn({ err }, 'uses of keys are counted, but not written yet');
    }
  };
  const flush = () => {
    writing = writing.then(write); // one after another
    return writing;
  };
  const timer = setInterval(() => void flush(), everyMs).unref();

  return {
    used: (kind, keyId, at) => counts[kind].add({ keyId, count: 1, lastUsedAt: at }),
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}

interface Counts {
  add(use: KeyUse): void;
  /** Keeps them where that fails. */
  write(): Promise<void>;
}

function countsOf(db: Database, kind: CountedKeyKind): Counts {
  let uses = new Map<string, KeyUse>();
  const add = ({ keyId, count, lastUsedAt: at }: KeyUse) => {
    const known = uses.get(keyId);
    if (known === undefined && uses.size >= keysMax) return;
    const lastUsedAt = known !== undefined && known.lastUsedAt > at ? known.lastUsedAt : at;
    uses.set(keyId, { keyId, count: (known?.count ?? 0) + count, lastUsedAt });
  };
  return {
    add,
    async write() {
      if (uses.size === 0) return;
      const taken = [...uses.values()];
      uses = new Map();
      try {
        await addKeyUse(db, kind, taken);
      } catch (error) {
        for (const use of taken) add(use);
        throw error;
      }
    },
  };
}
