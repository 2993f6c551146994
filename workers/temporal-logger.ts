import type { LogLevel, LogMetadata, Logger as TemporalLogger } from '@temporalio/worker';
import type { Logger } from '../runtime/logger.ts';

/** The engine's own log lines through ours, with only the metadata that carries no payloads. */
export function temporalLogger(logger: Logger): TemporalLogger {
  const log = (level: LogLevel, message: string, meta?: LogMetadata) => {
    const { workflowId, workflowType, activityType, taskQueue, attempt, error } = meta ?? {};
    const context = {
      workflow_id: workflowId,
      workflow: workflowType,
      activity: activityType,
      task_queue: taskQueue,
      attempt,
    };
    const line = error === undefined ? context : { ...context, err: error };
    logger[message === asMeant ? 'debug' : levels[level]](line, message);
  };
  return {
    log,
    trace: (message, meta) => log('TRACE', message, meta),
    debug: (message, meta) => log('DEBUG', message, meta),
    info: (message, meta) => log('INFO', message, meta),
    warn: (message, meta) => log('WARN', message, meta),
    error: (message, meta) => log('ERROR', message, meta),
  };
}

/** A warning to other products: our worker for the background has activities alone. */
const asMeant = 'No workflows registered, not polling for workflow tasks';

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'debug', WARN: 'warn', ERROR: 'error' } as const;
