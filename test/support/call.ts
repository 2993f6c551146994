import { randomUUID } from 'node:crypto';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { type Answer, aPayment, postPayment } from './api-client.ts';
import type { World } from './world.ts';

/** A payment to be made, whose id is known before it is posted. */
export interface Call {
  readonly id: string;
  readonly key: string;
  /** Posts it and waits a minute for its outcome; again with the same key each time. */
  readonly post: () => Promise<Answer>;
}

/** A valid payment of the world's merchant, in test mode. */
export function aCall(world: World): Call {
  const key = randomUUID();
  const id = paymentIdOf({ merchantId: world.merchant.id, isTest: true, idempotencyKey: key });
  const options = { key, apiKey: world.merchant.testKey, headers: { prefer: 'wait=60' } };
  return {
    id,
    key,
    post: () => {
      const answer = postPayment(world.apiUrl, aPayment(), options);
      answer.catch(() => undefined); // looked at later, when the API may have died
      return answer;
    },
  };
}
