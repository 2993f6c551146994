import { randomBytes } from 'node:crypto';
import type { ProviderEvent } from '../face/events.ts';
import type { FollowUp } from './follow-up.ts';
import type { Standing } from './rules.ts';
import { shownAuthorization, shownCapture, shownFollowUp } from './shown.ts';

/** The event that the order's capture or authorization came to its status; undefined where PayPal tells nobody. */
export function chargeEvent(standing: Standing): ProviderEvent | undefined {
  const { capture, authorization } = standing.order;
  if (capture !== undefined) return eventOf(captureTypes[capture.status], 'capture', shownCapture(standing).body);
  // PayPal has no event about an authorization that is not there.
  if (authorization?.status !== 'CREATED') return undefined;
  return eventOf('PAYMENT.AUTHORIZATION.CREATED', 'authorization', shownAuthorization(standing).body);
}

/** The event that a capture, void or refund came to its status. */
export function followUpEvent(followUp: FollowUp, standing: Standing): ProviderEvent {
  const { kind, status } = followUp;
  if (kind === 'void')
    return eventOf('PAYMENT.AUTHORIZATION.VOIDED', 'authorization', shownAuthorization(standing).body);
  const types = kind === 'capture' ? captureTypes : refundTypes;
  return eventOf(types[status], kind, shownFollowUp(followUp, standing).body);
}

// PayPal's names. It tells of a refund that is paid as of its capture.
const captureTypes: Readonly<Record<FollowUp['status'], string>> = {
  COMPLETED: 'PAYMENT.CAPTURE.COMPLETED',
  PENDING: 'PAYMENT.CAPTURE.PENDING',
  DECLINED: 'PAYMENT.CAPTURE.DECLINED',
  FAILED: 'PAYMENT.CAPTURE.DECLINED',
};
const refundTypes: typeof captureTypes = {
  COMPLETED: 'PAYMENT.CAPTURE.REFUNDED',
  PENDING: 'PAYMENT.REFUND.PENDING',
  DECLINED: 'PAYMENT.REFUND.FAILED',
  FAILED: 'PAYMENT.REFUND.FAILED',
};

function eventOf(type: string, resourceType: string, resource: object): ProviderEvent {
  const id = `WH-${randomBytes(9).toString('hex').toUpperCase()}`;
  const body = {
    id,
    event_version: '1.0',
    create_time: new Date().toISOString(),
    resource_type: resourceType,
    resource_version: '2.0',
    event_type: type,
    summary: `${resourceType}: ${type}`,
    resource,
  };
  return { id, type, body };
}
