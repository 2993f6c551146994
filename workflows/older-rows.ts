import type { PaymentSnapshot } from './ports.ts';

/** What rows lack in histories that began before payments had a life after their charge. */
const lacking: Partial<PaymentSnapshot> = {
  captureMethod: 'automatic',
  terms: {
    expiresAfterSeconds: 3_600,
    askForSeconds: 86_400,
    actionWithinSeconds: 3_600,
    captureWithinSeconds: 604_800,
    retry: null,
    feeBasisPoints: 0,
    feeFixedMinor: '0',
  },
  authorizedMinor: '0',
  capturedMinor: '0',
  voidedMinor: '0',
  refundedMinor: '0',
  actionExpiresAt: null,
  captureBefore: null,
  retriesMade: 0,
  retryAt: null,
  openMovement: null,
  voids: 0,
};

/** A row as this version knows rows: one that a history holds may be an older version's. */
export function wholeRow(row: PaymentSnapshot): PaymentSnapshot {
  return { ...lacking, ...row };
}
