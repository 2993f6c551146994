import { type DestinationStream, pino } from 'pino';
import { currentLogFields } from './log-context.ts';
import { allowedFields, type LogFields } from './log-fields.ts';
import { scrub } from './scrub.ts';

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Writes one line. `message` is a constant of the code: what varies goes into fields. */
interface Log {
  (message: string): void;
  (fields: LogFields, message: string): void;
}

/** Where a process says what it does. Only listed fields can be said: see `log-fields.ts`. */
export type Logger = Readonly<Record<Level, Log>>;

/**
 * A process's logger: JSON lines on standard output, unless another destination is given. Fields are written by an
 * allow-list, and so are errors (name, message, code, stack): an error object can carry a whole request.
 */
export function createLogger(service: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service },
    mixin: () => ({ ...currentLogFields() }),
    formatters: { log: allowedFields },
    serializers: { err: describe },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
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
    message: messageOf(error),
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: stackOf(error, error.stack) }),
    ...(error.cause === undefined || causes === causesMax ? {} : { cause: describeError(error.cause, causes + 1) }),
  };
}

/** Prisma's own errors show all arguments of the call between the first line and the last, which says what is wrong. */
function messageOf({ name, message }: Error): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  const isQuoting = name.startsWith('PrismaClient') && lines.length > 2;
  return scrub(isQuoting ? `${lines[0]} … ${lines.at(-1)}` : message);
}

/** The places alone, because a stack begins with the whole message. */
function stackOf(error: Error, stack: string): string {
  const places = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return [`${error.name}: ${messageOf(error)}`, ...places.map(scrub)].join('\n');
}
