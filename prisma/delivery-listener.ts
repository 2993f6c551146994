import { listen } from './listener.ts';

/** Tells dispatchers at once that something is due in their shard. It may miss some: whoever listens also looks by himself. */
export interface DeliveryListener {
  /** Calls back until the answered function is called. */
  onDue(shard: number, call: () => void): () => void;
  close(): Promise<void>;
}

/** Listens on a connection of its own; when it was lost and made again, all shards are called. */
export function listenForDeliveries(url: string, onLost: (reason: Error) => void): DeliveryListener {
  const listeners = new Map<number, Set<() => void>>();
  const call = (shard: number) => listeners.get(shard)?.forEach((one) => one());
  const listener = listen(url, 'deliveries', {
    heard: (payload) => call(Number(payload)),
    listening: () => [...listeners.keys()].forEach(call),
    lost: onLost,
  });
  return {
    onDue(shard, callBack) {
      const all = listeners.get(shard) ?? new Set();
      listeners.set(shard, all.add(callBack));
      return () => all.delete(callBack);
    },
    close: () => listener.close(),
  };
}
