import type { DeliveryEnd } from './delivery-contract.ts';

/** What the workflows that tell receivers of events ask of the world. */
export interface DeliveryPorts {
  /**
   * Tells what is due in a shard, each once, as soon as it is due; hands over what fails to a workflow of its own. Works for
   * about an hour, or until it is canceled or its process stops, and ends what it began in each case.
   */
  dispatchDeliveries(input: { readonly shard: number }): Promise<DispatchTally>;
  /**
   * One try. A failure of type `not_delivered` says that it is worth another one, and when; `receiver_busy` that nothing was
   * tried, because the receiver has as many tries at a time as it may have.
   */
  deliver(input: { readonly deliveryId: string }): Promise<DeliveryEnd>;
  /** Records that nobody tries any more, and alerts an operator of the receiver; changes nothing where it has ended. */
  giveUpDelivery(input: { readonly deliveryId: string }): Promise<DeliveryEnd>;
}

/** What a dispatcher did: told at once, handed over, and ended in any other way. */
export interface DispatchTally {
  readonly delivered: number;
  readonly handedOver: number;
  readonly ended: number;
}
