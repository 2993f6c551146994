import type { PaymentObject } from '../api/payment-object.ts';
import type { World } from '../test/support/world.ts';
import { paymentTarget } from './kinds.ts';
import { type LoadTarget, load } from './load.ts';
import type { MovementKind } from './options.ts';
import type { Kind } from './rounds.ts';

/** What a movement is asked for at, of which payments, and how a good answer looks. */
interface Route {
  readonly verb: 'capture' | 'cancel' | 'refund';
  readonly of: 'authorized' | 'captured';
  readonly expected: LoadTarget['expected'];
}

const routes: Readonly<Record<MovementKind, Route>> = {
  capture: { verb: 'capture', of: 'authorized', expected: { status: 201, text: '"status":"captured"' } },
  void: { verb: 'cancel', of: 'authorized', expected: { status: 200, text: '"status":"canceled"' } },
  refund: { verb: 'refund', of: 'captured', expected: { status: 201, text: '"status":"succeeded"' } },
};

const makersMax = 24;

/** A movement of the whole amount, of payments that a merchant of its own has made just before the round. */
export async function movementKind(world: World, name: MovementKind): Promise<Kind> {
  const { testKey: apiKey } = await world.createMerchant();
  const { verb, of, expected } = routes[name];
  const making = paymentTarget(world.apiUrl, apiKey, of === 'authorized' ? { capture: 'manual' } : {}, of);
  let ids: string[] = [];
  return {
    name,
    target: {
      url: world.apiUrl,
      apiKey,
      request: (index) => ({ path: `/api/v1/payments/${ids[index]}/${verb}`, body: '{}' }),
      expected,
    },
    async prepare(requests) {
      ids = [];
      await load(making, { clients: makersMax, requests }, (text) => ids.push(idOf(text)));
    },
  };
}

function idOf(text: string): string {
  return (JSON.parse(text) as { data: Pick<PaymentObject, 'id'> }).data.id;
}
