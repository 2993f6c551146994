import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { MovementKind } from './movement.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const idBits = 130;

/** What makes a payment the same payment: a repeat of all four parts names the same row and the same workflow. */
export interface PaymentIdentity {
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly idempotencyKey: string;
}

/** The id of the payment that this key creates; also its workflow id. Derived, so every process computes the same one. */
export function paymentIdOf(identity: PaymentIdentity): string {
  return createdIdOf('pay', 'create_payment', identity);
}

const movementPrefixes: Readonly<Record<MovementKind, string>> = { capture: 'cap', void: 'voi', refund: 'ref' };

/** The id of the capture, void or refund that a payment's key creates; a refund's is also its workflow id. */
export function movementIdOf(kind: MovementKind, paymentId: string, idempotencyKey: string): string {
  return derivedId(movementPrefixes[kind], [paymentId, idempotencyKey]);
}

/** What is sent to providers under keys of its own; a preparation moves no money. */
export type Operation = 'prepare' | 'charge' | MovementKind;

/**
 * The id of a business attempt, which is also the idempotency key that the provider sees: a function of the payment or
 * movement, the operation and the attempt's number only, so that no restart, reset or second worker can make another one.
 */
export function attemptIdOf(objectId: string, operation: Operation, attemptNumber: number): string {
  return derivedId('att', [objectId, operation, attemptNumber]);
}

/** The id of the event of a payment that a movement's event brings with it. */
export function consequenceIdOf(eventId: string): string {
  return derivedId('evt', [eventId, 'payment']);
}

/** The id of an update that carries out a request: the same for a repeat of its key and body, of which it shows neither. */
export function updateIdOf(name: string, idempotencyKey: string, requestHash: string): string {
  return derivedId(name, [idempotencyKey, requestHash]);
}

/** The id of the row of a provider's event. */
export function providerEventIdOf(source: string, accountId: string, eventId: string): string {
  return derivedId('pev', [source, accountId, eventId]);
}

/** The id of what a provider's late word about an attempt contradicts. */
export function discrepancyIdOf(attemptId: string, recorded: string, reported: string): string {
  return derivedId('dis', [attemptId, recorded, reported]);
}

/** The id of the event that moves an object to `version` with this type; the same decision made twice has the same id. */
export function eventIdOf(objectId: string, version: number, type: string): string {
  return derivedId('evt', [objectId, version, type]);
}

/** The id of the audit entry that belongs to an event. */
export function auditIdOf(eventId: string): string {
  return derivedId('aud', [eventId]);
}

/** The id of the alert that an event opens. */
export function alertIdOf(eventId: string): string {
  return derivedId('alr', [eventId]);
}

/** The id of the webhook endpoint that this key creates. */
export function webhookEndpointIdOf(identity: PaymentIdentity): string {
  return createdIdOf('whe', 'create_webhook_endpoint', identity);
}

/** The id of the merchant that this key of the platform's creates. */
export function merchantIdOf(idempotencyKey: string): string {
  return derivedId('mer', ['create_merchant', idempotencyKey]);
}

/** How the ids of customers that we keep look. */
export const customerIdForm = /^cus_[0-9a-z]{26}$/;

/** The id of the customer that this key creates. */
export function customerIdOf(identity: PaymentIdentity): string {
  return createdIdOf('cus', 'create_customer', identity);
}

/** The id of the plan that this key creates. */
export function planIdOf(identity: PaymentIdentity): string {
  return createdIdOf('pln', 'create_plan', identity);
}

/** The id of the subscription that this key creates; also its workflow id. */
export function subscriptionIdOf(identity: PaymentIdentity): string {
  return createdIdOf('sub', 'create_subscription', identity);
}

/** The id of the test clock that this key creates; also the id of the workflow that advances it. */
export function testClockIdOf(identity: PaymentIdentity): string {
  return createdIdOf('clk', 'create_test_clock', identity);
}

/** The id of the batch that this key creates; also its workflow id. */
export function batchIdOf(identity: PaymentIdentity): string {
  return createdIdOf('bat', 'create_batch', identity);
}

/**
 * The idempotency key of what a row of a batch creates: a function of the batch's reference and the row's key, whatever the file. No
 * request can send it, as it is not ASCII.
 */
export function batchRowKeyOf(reference: string, rowKey: string): string {
  return `§${derivedId('row', [reference, rowKey])}`;
}

/** The id of the invoice of a period (by its number), of a sign-up fee, or of a change (by the id of the wish for it). */
export function invoiceIdOf(subscriptionId: string, what: number | string): string {
  return derivedId('inv', [subscriptionId, what]);
}

/** The idempotency key of a charge of an invoice, counted from 1. No request can send it, as it is not ASCII. */
export function chargeKeyOf(invoiceId: string, attempt: number): string {
  return `§${invoiceId}:${attempt}`;
}

/** The id of the event of a subscription that an act brings: the same however often the act is carried out. */
export function actEventIdOf(subscriptionId: string, wishId: string): string {
  return derivedId('evt', [subscriptionId, 'wish', wishId]);
}

/** Whether it is the id of a customer that we keep; any other customer id is the merchant's own text. */
export function isCustomerId(id: string): boolean {
  return customerIdForm.test(id);
}

/** The id of the user whom this key of the merchant's invites. */
export function userIdOf(merchantId: string, idempotencyKey: string): string {
  return derivedId('usr', [merchantId, 'invite_user', idempotencyKey]);
}

function createdIdOf(
  prefix: string,
  operation: string,
  { merchantId, isTest, idempotencyKey }: PaymentIdentity,
): string {
  return derivedId(prefix, [merchantId, isTest ? 'test' : 'live', operation, '', idempotencyKey]);
}

/** `prefix_` and 130 bits of SHA-256 over the parts, in Crockford's base32 (26 characters). JSON keeps the parts apart. */
function derivedId(prefix: string, parts: readonly (string | number)[]): string {
  const digest = sha256(utf8ToBytes(JSON.stringify([prefix, ...parts])));
  return `${prefix}_${base32(digest, idBits)}`;
}

/** The first `bits` bits, five to a character (Crockford's alphabet in lower case: no i, l, o, u). */
export function base32(bytes: Uint8Array, bits: number): string {
  let text = '';
  for (let start = 0; start < bits; start += 5) {
    let value = 0;
    for (let bit = start; bit < start + 5; bit++) {
      const byte = bytes[bit >> 3] ?? 0;
      value = (value << 1) | (bit < bits ? (byte >> (7 - (bit & 7))) & 1 : 0);
    }
    text += alphabet.charAt(value);
  }
  return text;
}
