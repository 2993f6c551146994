import pg from 'pg';

/** What a listener hears. */
interface Hearing {
  /** A notification's payload. */
  readonly heard: (payload: string) => void;
  /** It listens from now on, for the first time or again: whatever was said before may have been missed. */
  readonly listening: () => void;
  readonly lost: (reason: Error) => void;
}

/** A connection that listens. */
export interface Listener {
  close(): Promise<void>;
}

const reconnectAfterMs = 1_000;
const connectTimeoutMs = 2_000;

/** Listens on a connection of its own, which is made again when it is lost. */
export function listen(url: string, channel: 'deliveries' | 'credentials', hearing: Hearing): Listener {
  let client: pg.Client | null = null;
  let retry: NodeJS.Timeout | null = null;
  let isClosed = false;

  function connect(): void {
    retry = null;
    const connecting = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      application_name: `${channel}-listener`,
    });
    client = connecting;
    const lost = (reason: Error) => {
      if (isClosed || client !== connecting) return;
      client = null;
      connecting.end().catch(() => undefined);
      hearing.lost(reason);
      retry = setTimeout(connect, reconnectAfterMs);
    };
    connecting.on('error', lost);
    connecting.on('end', () => lost(new Error('the connection that listens ended')));
    connecting.on('notification', ({ payload }) => hearing.heard(payload ?? ''));
    const listening = async () => {
      await connecting.connect();
      await connecting.query(`LISTEN ${channel}`);
      hearing.listening();
    };
    listening().catch((error: unknown) => lost(error instanceof Error ? error : new Error(String(error))));
  }
  connect();

  return {
    async close() {
      isClosed = true;
      if (retry !== null) clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}
