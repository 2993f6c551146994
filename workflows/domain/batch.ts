/** What the rows of a batch make. */
export const batchKinds = ['subscriptions', 'payments'] as const;
export type BatchKind = (typeof batchKinds)[number];

/**
 * `receiving`: its file is being read; nothing has started. `invalid`: the file has errors, and nothing ever started. `validated`:
 * a dry run that found none. `running`, `paused`: its rows are being started, or will be. `canceled`: those that had not started
 * never will. `completed`: every row has come to its end.
 */
export const batchStatuses = [
  'receiving',
  'invalid',
  'validated',
  'running',
  'paused',
  'canceled',
  'completed',
] as const;
export type BatchStatus = (typeof batchStatuses)[number];

/**
 * `staged`: to be started. `started`: this batch made what it names. `existing`: that was there, made by the same row of another
 * run. `refused`: it was not made; a code says why. `canceled`: its batch was canceled first.
 */
const batchRowStates = ['staged', 'started', 'existing', 'refused', 'canceled'] as const;
export type BatchRowState = (typeof batchRowStates)[number];

/** Whether rows of it may still be started. */
export function isBatchOpen(status: BatchStatus): boolean {
  return status === 'running' || status === 'paused';
}

/** How many rows of a batch are in which state. */
export type BatchRowCounts = Readonly<Record<BatchRowState, number>>;
