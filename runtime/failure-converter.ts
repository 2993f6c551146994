import { DefaultFailureConverter } from '@temporalio/common';

/** Messages and stack traces of failures go through the codec too; by default Temporal stores them in clear. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
