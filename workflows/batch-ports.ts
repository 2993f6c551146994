import type { BatchKind, BatchRowCounts, BatchStatus } from './domain/batch.ts';
import type { PaymentRequest } from './ports.ts';
import type { SubscriptionRequest } from './subscription-ports.ts';

/** What a batch's workflow asks of the world; instants are ISO 8601. */
export interface BatchPorts {
  /** Reads the batch; with a wish, writes that down first, if the batch is still open. */
  steerBatch(input: SteerBatch): Promise<BatchSnapshot>;
  /**
   * Starts staged rows in the order of the file, a few at a time, until `rowsMax` have come to their end, its time is over, the
   * batch is no longer running or nothing is staged. What an earlier try began is found again, and begun by nobody twice.
   */
  startBatchRows(input: StartBatchRows): Promise<BatchSnapshot>;
  /** Ends the batch: rows that are still staged are canceled. */
  endBatch(input: BatchReference & { readonly now: string }): Promise<BatchSnapshot>;
}

interface BatchReference {
  readonly batchId: string;
  readonly merchantId: string;
}

/** What somebody wants of a batch. */
export interface BatchWish {
  readonly status?: Extract<BatchStatus, 'running' | 'paused' | 'canceled'>;
  /** Rows started per second at most; null: as many as there can be. */
  readonly ratePerSecond?: number | null;
}

export interface SteerBatch extends BatchReference {
  readonly wish?: BatchWish & { readonly actor: string; readonly reason: string };
  readonly now: string;
}

export interface StartBatchRows extends BatchReference {
  readonly rowsMax: number;
}

/** The row of a batch as its workflow needs it. */
export interface BatchSnapshot {
  readonly kind: BatchKind;
  readonly reference: string;
  readonly isTest: boolean;
  readonly status: BatchStatus;
  readonly ratePerSecond: number | null;
  readonly rows: BatchRowCounts;
  /** Later with every act on the batch: a snapshot with an earlier one is older. */
  readonly steeredAt: string;
}

/**
 * What a row of a batch is started with. The merchant's routing, and who asks, are added when it starts: they are the same for all
 * rows, and may change while a long batch runs.
 */
export type StagedPayment = Omit<PaymentRequest, 'routing' | 'receivedAt'>;

/** What is kept of a row until it is started. */
export interface StagedData<Request = StagedPayment | SubscriptionRequest> {
  readonly request: Request;
  /** What operators will read beside its workflow. */
  readonly summary: string;
}
