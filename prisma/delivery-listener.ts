import pg from 'pg';

/** Tells dispatchers at once that something is due in their shard. It may miss some: whoever listens also looks by himself. */
export interface DeliveryListener {
  /** Calls back until the answered function is called. */
  onDue(shard: number, call: () => void): () => void;
  close(): Promise<void>;
}

const reconnectAfterMs = 1_000;
const connectTimeoutMs = 2_000;

/** Listens on a connection of its own, which is made again when it is lost; then all shards are called. */
export function listenForDeliveries(url: string, onLost: (reason: Error) => void): DeliveryListener {
  const listeners = new Map<number, Set<() => void>>();
  let client: pg.Client | null = null;
  let retry: NodeJS.Timeout | null = null;
  let isClosed = false;

  const call = (shard: number) => listeners.get(shard)?.forEach((one) => one());

  function connect(): void {
    retry = null;
    const connecting = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      application_name: 'delivery-listener',
    });
    client = connecting;
    const lost = (reason: Error) => {
      if (isClosed || client !== connecting) return;
      client = null;
      connecting.end().catch(() => undefined);
      onLost(reason);
      retry = setTimeout(connect, reconnectAfterMs);
    };
    connecting.on('error', lost);
    connecting.on('end', () => lost(new Error('the connection that listens ended')));
    connecting.on('notification', ({ payload }) => call(Number(payload)));
    const listening = async () => {
      await connecting.connect();
      await connecting.query('LISTEN deliveries');
      for (const shard of listeners.keys()) call(shard);
    };
    listening().catch((error: unknown) => lost(error instanceof Error ? error : new Error(String(error))));
  }
  connect();

  return {
    onDue(shard, listener) {
      const all = listeners.get(shard) ?? new Set();
      listeners.set(shard, all.add(listener));
      return () => all.delete(listener);
    },
    async close() {
      isClosed = true;
      if (retry !== null) clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}
