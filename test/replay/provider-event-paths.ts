import {
  aCapturedPayment,
  anAuthorizedPayment,
  cancel,
  capture,
  firstVoidIdOf,
  refund,
} from '../support/movement-call.ts';
import type { World } from '../support/world.ts';
import { begun, charged, finished, impatient, isInState, lost, type Path, resolved, told } from './steps.ts';

/** What a look-up does not bear out; a word that only repeats what is recorded is not handed on. */
const denial = 'charge.declined';

/** The ways of what a provider says by itself, before the end of a payment and after it. */
export const providerEventPaths: Readonly<Record<string, Path>> = {
  'told-of-an-open-payment': async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await told(world, id, denial);
    await capture(world, id);
    return finished(world, id);
  },
  'told-of-a-closed-payment': async (world) => {
    const id = await charged(world);
    await told(world, id, denial);
    return finished(world, id);
  },
  'told-of-a-void-of-a-closed-payment': async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await cancel(world, id);
    await finished(world, id);
    await told(world, firstVoidIdOf(id), 'void.declined');
    return finished(world, id);
  },
  'told-of-a-closed-refund': async (world) => {
    const { id: paymentId } = await aCapturedPayment(world);
    const { id } = (await refund(world, paymentId)).data;
    await finished(world, id);
    await told(world, id, 'refund.declined');
    return finished(world, id);
  },
  'told-of-an-unresolved-payment': async (world) => {
    const id = await unresolved(world);
    await world.bank.heal();
    await told(world, id, 'charge.approved');
    return finished(world, id);
  },
  'told-against-what-was-resolved': async (world) => {
    const id = await resolved(world, await unresolved(world), 'failed');
    await world.bank.heal();
    await told(world, id, 'charge.approved');
    return finished(world, id);
  },
};

/** A payment that was charged, and nobody said so in time. */
async function unresolved(world: World): Promise<string> {
  await world.bank.inject(lost('charge'));
  const id = await begun(world, {}, await world.createMerchant(impatient));
  await isInState(world, id, 'unresolved');
  return id;
}
