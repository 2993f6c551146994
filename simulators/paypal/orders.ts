import { z } from 'zod';
import { Keys } from '../face/keys.ts';
import type { FollowUp, FollowUpAsked, FollowUpKind } from './follow-up.ts';
import { followUpSchema } from './follow-up.ts';
import type { OrderRequest, StoredOrder } from './order.ts';
import { chargeOf, purchaseOf, storedOrderSchema } from './order.ts';
import type { Standing } from './rules.ts';

const memoSchema = z.union([followUpSchema, storedOrderSchema]);

const hourMs = 3_600_000;
// PayPal's documented times for request ids of orders, and of what is done with their authorizations and captures.
const orderWindowMs = 6 * hourMs;
const followUpWindowMs = 45 * 24 * hourMs;

/** PayPal's orders. What it shows is on disk: it is fed by the bank's book, which keeps each order, and all that moves
 * money in the same record as its movement. */
export class Orders {
  /** The request ids of creations, with the id of the order that each made. */
  readonly creations = new Keys<OrderRequest, string>(orderWindowMs);
  /** The request ids of captures and authorizations of orders, each with the id of its order. */
  readonly charges = new Keys<string, string>(orderWindowMs);
  /** The request ids of what followed, by kind, each with the id of what it made. */
  readonly followUps: Readonly<Record<FollowUpKind, Keys<FollowUpAsked, string>>> = {
    capture: new Keys(followUpWindowMs),
    void: new Keys(followUpWindowMs),
    refund: new Keys(followUpWindowMs),
  };
  private readonly byId = new Map<string, StoredOrder>();
  private readonly idsByReference = new Map<string, Set<string>>();
  private readonly followUpsByOrder = new Map<string, Map<string, FollowUp>>();
  /** By the id of an authorization or a capture, the id of its order. */
  private readonly orderIdByPart = new Map<string, string>();

  /** Takes in what the book kept. */
  apply(memo: unknown): void {
    const stored = memoSchema.parse(memo);
    if ('kind' in stored) this.applyFollowUp(stored);
    else this.applyOrder(stored);
  }

  /** The order with this id. */
  get(id: string): StoredOrder | undefined {
    return this.byId.get(id);
  }

  /** The order with this id, and all that followed. Throws when there is none. */
  standing(id: string): Standing {
    const order = this.byId.get(id);
    if (order === undefined) throw new Error(`There is no order ${id}`);
    return { order, followUps: [...(this.followUpsByOrder.get(id)?.values() ?? [])] };
  }

  /** The order whose authorization or capture this is. A capture that is asked for as an authorization is unknown. */
  withPart(kind: FollowUpKind, id: string): StoredOrder | undefined {
    const order = this.byId.get(this.orderIdByPart.get(id) ?? '');
    const isAuthorization = order?.authorization?.id === id;
    return isAuthorization === (kind !== 'refund') ? order : undefined;
  }

  /** How many orders with this reference were captured or authorized, whatever came of it. */
  chargedWith(reference: string): number {
    const orders = [...(this.idsByReference.get(reference) ?? [])].map((id) => this.byId.get(id));
    return orders.filter((order) => order !== undefined && chargeOf(order) !== undefined).length;
  }

  /** All orders whose capture or authorization waits for its approval. */
  pending(): StoredOrder[] {
    return [...this.byId.values()].filter((order) => chargeOf(order)?.status === 'PENDING');
  }

  /** All captures of authorizations and refunds that wait for their completion. */
  pendingFollowUps(): FollowUp[] {
    const all = [...this.followUpsByOrder.values()].flatMap((ofOrder) => [...ofOrder.values()]);
    return all.filter(({ status }) => status === 'PENDING');
  }

  private applyOrder(order: StoredOrder): void {
    const { id, request_id: requestId, request, created_at: at } = order;
    const charge = chargeOf(order);
    this.byId.set(id, order);
    if (charge === undefined) {
      this.creations.keep(requestId, request, id, at);
      const { custom_id: reference } = purchaseOf(order);
      const ids = this.idsByReference.get(reference);
      if (ids === undefined) this.idsByReference.set(reference, new Set([id]));
      else ids.add(id);
    } else {
      this.charges.keep(charge.request_id, id, id, charge.created_at);
      this.orderIdByPart.set(charge.id, id);
    }
  }

  private applyFollowUp(followUp: FollowUp): void {
    const { id, order_id: orderId, request_id: requestId, created_at: at } = followUp;
    const known = this.followUpsByOrder.get(orderId);
    if (known === undefined) this.followUpsByOrder.set(orderId, new Map([[id, followUp]]));
    else known.set(id, followUp);
    if (followUp.kind === 'capture') this.orderIdByPart.set(id, orderId);
    this.followUps[followUp.kind].keep(requestId, askedOf(followUp), id, at);
  }
}

function askedOf(followUp: FollowUp): FollowUpAsked {
  const { parent_id: parentId } = followUp;
  switch (followUp.kind) {
    case 'capture':
      return { kind: followUp.kind, parentId, request: followUp.request };
    case 'void':
      return { kind: followUp.kind, parentId, request: followUp.request };
    case 'refund':
      return { kind: followUp.kind, parentId, request: followUp.request };
  }
}
