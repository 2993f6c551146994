import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * A process's logger: JSON lines on standard output. Errors are written by an allow-list (name, message, code, stack):
 * an error object can carry a whole request.
 */
export function createLogger(service: string, level: string): Logger {
  return pino({ level, base: { service }, serializers: { err: describeError, error: describeError } });
}

interface DescribedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: DescribedError;
}

function describeError(error: unknown): DescribedError {
  if (!(error instanceof Error)) return { name: 'NotAnError', message: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}
