import {
  type ApiKeyRecord,
  findApiKey,
  findOperatorKey,
  findSession,
  type OperatorKeyRecord,
  type SessionRecord,
} from '../prisma/credentials.ts';
import { type Database, isDatabaseAway } from '../prisma/database.ts';
import { listen } from '../prisma/listener.ts';
import type { Logger } from '../runtime/logger.ts';

/**
 * A credential as the database has it, or had it in the last second. While the database is away, `outage` is its error and the
 * record is the last one read: enough to name what is refused, never to do anything.
 */
interface Found<Stored> {
  readonly record: Stored | null;
  readonly outage: unknown;
}

/** Keys and sessions by their ids. What the database says is remembered for moments, and forgotten at once when it changes. */
export interface Credentials {
  apiKey(keyId: string): Promise<Found<ApiKeyRecord>>;
  operatorKey(keyId: string): Promise<Found<OperatorKeyRecord>>;
  session(sessionId: string): Promise<Found<SessionRecord>>;
  close(): Promise<void>;
}

/** So long a record is as good as the database's: less than a second, should word of a change be lost. */
const freshForMs = 800;
const rememberedMax = 10_000;

/** Remembers credentials; with `listenUrl`, hears of changes from the database at once. */
export function rememberCredentials(db: Database, listenUrl: string | null, logger: Logger): Credentials {
  const apiKeys = memoryOf((keyId) => findApiKey(db, keyId));
  const operatorKeys = memoryOf((keyId) => findOperatorKey(db, keyId));
  const sessions = memoryOf((sessionId) => findSession(db, sessionId));
  const all = [apiKeys, operatorKeys, sessions];

  /** Changes are rare: everything is read anew after one, so that none has to say what it means for others. */
  const forget = () => {
    for (const memory of all) memory.forget();
  };
  const listener =
    listenUrl === null
      ? null
      : listen(listenUrl, 'credentials', {
          heard: forget,
          listening: forget,
          lost: (err) => logger.warn({ err }, 'changes of credentials are heard of a moment later'),
        });
  return {
    apiKey: apiKeys.find,
    operatorKey: operatorKeys.find,
    session: sessions.find,
    close: async () => listener?.close(),
  };
}

interface Memory<Stored> {
  readonly find: (id: string) => Promise<Found<Stored>>;
  forget(): void;
}

function memoryOf<Stored>(read: (id: string) => Promise<Stored | null>): Memory<Stored> {
  const remembered = new Map<string, { readonly record: Stored; readonly readAt: number }>();
  const readings = new Map<string, { readonly record: Promise<Stored | null>; readonly begunAt: number }>();
  let forgottenAt = Number.NEGATIVE_INFINITY;

  const isFresh = (at: number) => at > forgottenAt && performance.now() - at < freshForMs;

  /** What is read holds from when it was asked for; an older reading that ends later takes nothing back. */
  const remember = (id: string, record: Stored | null, readAt: number) => {
    if ((remembered.get(id)?.readAt ?? readAt) > readAt) return;
    remembered.delete(id);
    if (record !== null) remembered.set(id, { record, readAt });
    const [oldest] = remembered.keys();
    if (oldest !== undefined && remembered.size > rememberedMax) remembered.delete(oldest);
  };

  const begin = (id: string) => {
    const begunAt = performance.now();
    const done = () => {
      if (readings.get(id) === reading) readings.delete(id);
    };
    const record = read(id).finally(done);
    const reading = { record, begunAt };
    readings.set(id, reading);
    return reading;
  };

  return {
    async find(id) {
      const known = remembered.get(id);
      if (known !== undefined && isFresh(known.readAt)) return { record: known.record, outage: null };
      const underWay = readings.get(id); // many requests of one key at once are one question
      const reading = underWay !== undefined && isFresh(underWay.begunAt) ? underWay : begin(id);
      try {
        const record = await reading.record;
        remember(id, record, reading.begunAt);
        return { record, outage: null };
      } catch (outage) {
        if (known === undefined || !isDatabaseAway(outage)) throw outage;
        return { record: known.record, outage };
      }
    },
    forget: () => {
      forgottenAt = performance.now();
    },
  };
}
