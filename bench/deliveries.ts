import { until } from '../test/support/until.ts';
import type { World } from '../test/support/world.ts';
import type { Aftermath } from './rounds.ts';

/** Where the outside world shows what it received, and which member of it is the same on every try. */
export interface Witness {
  received(after: number): Promise<readonly { readonly seq: number; readonly id: string }[]>;
}

/** The simulators' inbox, for one path. */
export function inboxWitness(world: World, path: string): Witness {
  return {
    async received(after) {
      type Inbox = { webhooks: { seq: number; headers: Record<string, string> }[] };
      const { webhooks } = await world.outside<Inbox>(`/inbox?after=${after}&path=${path}`);
      return webhooks.map(({ seq, headers }) => ({ seq, id: headers['webhook-id'] ?? '' }));
    },
  };
}

/** The simulators' mailbox, for one address. */
export function mailboxWitness(world: World, address: string): Witness {
  return {
    async received(after) {
      type Mailbox = { mails: { seq: number; message_id: string | null }[] };
      const { mails } = await world.outside<Mailbox>(`/mailbox?after=${after}&to=${encodeURIComponent(address)}`);
      return mails.map(({ seq, message_id: id }) => ({ seq, id: id ?? '' }));
    },
  };
}

/** A payment of this merchant is done when each witness was told of it: by our rows, and then by what was received. */
export function deliveries(world: World, merchantId: string, witnesses: readonly Witness[]): Aftermath {
  const seen = witnesses.map(() => 0);
  return {
    async settle({ since, requests }) {
      const expected = requests * witnesses.length;
      return until(`${expected} deliveries are made`, async () => {
        const { count, last } = await delivered(world, merchantId, since);
        return count === expected ? last : null;
      });
    },
    async prove(requests) {
      for (const [index, witness] of witnesses.entries()) {
        const received = await witness.received(seen[index] ?? 0);
        seen[index] = Math.max(seen[index] ?? 0, ...received.map(({ seq }) => seq));
        const count = new Set(received.map(({ id }) => id)).size;
        if (count !== requests) throw new Error(`${requests} payments were told of, but ${count} were heard of`);
      }
    },
  };
}

async function delivered(world: World, merchantId: string, since: Date): Promise<{ count: number; last: Date | null }> {
  const { rows } = await world.admin.query<{ count: number; last: Date | null }>(
    `SELECT count(*)::int AS count, max(delivered_at) AS last FROM deliveries
      WHERE merchant_id = $1 AND created_at >= $2 AND state = 'delivered'`,
    [merchantId, since],
  );
  return rows[0] ?? { count: 0, last: null };
}
