import { createHmac } from 'node:crypto';
import type { Operation, Schema } from './document.ts';

/** What EasyPay writes into an event, for whom the document shows bytes alone: they are its own. */
const eventSchema: Schema = {
  type: 'object',
  properties: {
    id: { type: 'string', pattern: '^epe_[0-9a-f]{32}$' },
    type: { type: 'string' },
    created_at: { type: 'string', format: 'date-time' },
    data: {
      type: 'object',
      properties: {
        reference: { type: 'string', pattern: '^pay_[0-9a-z]{26}$' },
        charge_reference: { type: 'string', maxLength: 40 },
        status: { type: 'string' },
        amount_minor: { type: 'string', pattern: '^[1-9][0-9]{0,6}$' },
        currency: { type: 'string', enum: ['USD', 'EUR'] },
      },
      required: ['reference'],
    },
  },
  required: ['id', 'type', 'data'],
};

/** The operation with a body that can be made and spoiled, also where the document speaks of bytes alone. */
export function withEventBody(operation: Operation): Operation {
  return operation.takesBytes ? { ...operation, body: eventSchema } : operation;
}

/** What EasyPay puts into `EasyPay-Signature` for these bytes. */
export function signatureOf(secret: string, body: Buffer, ageSeconds = 0): string {
  const at = Math.floor(Date.now() / 1_000) - ageSeconds;
  return `t=${at},v1=${createHmac('sha256', secret).update(`${at}.`).update(body).digest('hex')}`;
}
