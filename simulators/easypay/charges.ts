import { z } from 'zod';
import { Keys } from '../face/keys.ts';
import type { Charge, ChargeRequest, StoredCharge } from './charge.ts';
import { storedChargeSchema, voided } from './charge.ts';
import type { FollowUp, FollowUpKind, FollowUpRequest, StoredFollowUp } from './follow-up.ts';
import { storedFollowUpSchema } from './follow-up.ts';
import type { Standing } from './rules.ts';

const storedSchema = z.union([storedChargeSchema, storedFollowUpSchema]);

type FollowUpKeys = Keys<{ readonly chargeId: string; readonly request: FollowUpRequest }, string>;

/** EasyPay's charges and what followed them. What it shows is on disk: it is fed by the bank's book, which keeps each
 * in the same record as its movement, so that a crash cannot leave one without the other. */
export class Charges {
  /** The idempotency keys, each with the id of what it made; EasyPay honors them for as long as it keeps its charges. */
  readonly keys: { readonly charge: Keys<ChargeRequest, string> } & Readonly<Record<FollowUpKind, FollowUpKeys>> = {
    charge: new Keys(),
    capture: new Keys(),
    void: new Keys(),
    refund: new Keys(),
  };
  private readonly byId = new Map<string, StoredCharge>();
  private readonly idsByReference = new Map<string, Set<string>>();
  private readonly idsByChallenge = new Map<string, string>();
  private readonly followUpsByCharge = new Map<string, Map<string, StoredFollowUp>>();

  /** Takes in what the book kept. */
  apply(memo: unknown): void {
    const stored = storedSchema.parse(memo);
    if ('charge' in stored) this.applyCharge(stored);
    else this.applyFollowUp(stored);
  }

  /** The charge with this id. */
  get(id: string): StoredCharge | undefined {
    return this.byId.get(id);
  }

  /** The charge whose payer confirms it on the page with this token. */
  withChallenge(token: string): StoredCharge | undefined {
    const id = this.idsByChallenge.get(token);
    return id === undefined ? undefined : this.byId.get(id);
  }

  /** All charges under a reference, oldest first. */
  withReference(reference: string): StoredCharge[] {
    const stored = [...(this.idsByReference.get(reference) ?? [])].map((id) => this.byId.get(id));
    return stored.filter((one) => one !== undefined);
  }

  /** How a charge stands. */
  standingOf({ charge }: { readonly charge: Charge }): Standing {
    return { charge, followUps: this.followUpsOf(charge.id) };
  }

  /** All that followed a charge, oldest first. */
  followUpsOf(chargeId: string): FollowUp[] {
    return [...(this.followUpsByCharge.get(chargeId)?.values() ?? [])].map((stored) => stored.follow_up);
  }

  /** One of those that followed a charge. */
  followUp(chargeId: string, id: string): StoredFollowUp | undefined {
    return this.followUpsByCharge.get(chargeId)?.get(id);
  }

  /** All charges that wait for their approval by EasyPay. */
  pendingCharges(): Charge[] {
    return [...this.byId.values()].map((stored) => stored.charge).filter((charge) => charge.status === 'pending');
  }

  /** All captures and refunds that wait for their approval. */
  pendingFollowUps(): FollowUp[] {
    return [...this.followUpsByCharge.keys()]
      .flatMap((chargeId) => this.followUpsOf(chargeId))
      .filter((followUp) => followUp.status === 'pending');
  }

  private applyCharge(stored: StoredCharge): void {
    const { charge, request, challenge } = stored;
    this.byId.set(charge.id, stored);
    this.keys.charge.keep(charge.idempotency_key, request, charge.id, charge.created_at);
    if (challenge !== undefined) this.idsByChallenge.set(challenge, charge.id);
    const ids = this.idsByReference.get(charge.reference);
    if (ids === undefined) this.idsByReference.set(charge.reference, new Set([charge.id]));
    else ids.add(charge.id);
  }

  private applyFollowUp(stored: StoredFollowUp): void {
    const { follow_up: followUp, request } = stored;
    const { id, charge_id: chargeId, kind, idempotency_key: key, created_at: at } = followUp;
    const followUps = this.followUpsByCharge.get(chargeId);
    if (followUps === undefined) this.followUpsByCharge.set(chargeId, new Map([[id, stored]]));
    else followUps.set(id, stored);
    this.keys[kind].keep(key, { chargeId, request }, id, at);
    const charge = this.byId.get(chargeId);
    if (charge === undefined) throw new Error(`A ${kind} follows the charge ${chargeId}, which is not in the book`);
    // The void that ends a charge before its payer confirmed it is one record with that end.
    if (kind === 'void' && charge.charge.status === 'requires_action') {
      this.byId.set(chargeId, { ...charge, charge: { ...charge.charge, ...voided } });
    }
  }
}
