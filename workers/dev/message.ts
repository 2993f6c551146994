/** A line for the person who started the program, without a line break at its end. */
export type Say = (line: string) => void;

/**
 * A failure that the person at the keyboard can mend: its message is complete (what happened, what to do next),
 * so it is printed without a stack trace.
 */
export class HelpfulError extends Error {
  override readonly name = 'HelpfulError';
  readonly exitCode: number;

  constructor(message: string, options: ErrorOptions & { exitCode?: number } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? 1;
  }
}
