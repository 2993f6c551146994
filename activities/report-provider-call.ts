import { addLogFields } from '../runtime/log-context.ts';
import type { Logger } from '../runtime/logger.ts';
import type { WorkerMetrics } from '../runtime/metrics.ts';
import type { OnProviderCall } from './providers/observed.ts';

/**
 * What is kept of every call to a provider for whoever analyzes failures: a line in the log, and a count. Nothing of a
 * request or an answer but ids, kinds and the HTTP status.
 */
export function reportProviderCall({
  logger,
  metrics,
}: {
  readonly logger: Logger;
  readonly metrics: Pick<WorkerMetrics, 'providerCalled'>;
}): OnProviderCall {
  return ({ paymentId, attemptId, correlationId, httpStatus, error, ...call }) => {
    const { provider, operation, result, durationMs } = call;
    metrics.providerCalled(call);
    addLogFields({ request_id: correlationId });
    const about = {
      provider,
      operation,
      attempt_id: attemptId,
      payment_id: paymentId,
      request_id: correlationId,
      http_status: httpStatus,
      duration_ms: durationMs,
    };
    if (error === null) logger.info({ ...about, result }, 'provider called');
    else logger.warn({ ...about, fault: result, err: error }, 'provider call failed');
  };
}
