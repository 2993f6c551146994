import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * A process's logger: JSON lines on standard output. Errors are written by an allow-list (name, message, code, stack):
 * an error object can carry a whole request.
 */
export function createLogger(service: string, level: string): Logger {
  return pino({ level, base: { service }, serializers: { err: describe, error: describe } });
}

interface DescribedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: DescribedError;
}

const describe = (error: unknown) => describeError(error, 0);

/** An error may be its own cause: whoever logs must not fail by it. */
const causesMax = 10;

function describeError(error: unknown, causes: number): DescribedError {
  if (!(error instanceof Error)) return { name: 'NotAnError', message: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || causes === causesMax ? {} : { cause: describeError(error.cause, causes + 1) }),
  };
}
