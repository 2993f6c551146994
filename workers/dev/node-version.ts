import { HelpfulError } from './message.ts';

const NODE_MAJOR_MIN = 24;

/** Throws a `HelpfulError` unless `version` ("24.21.0") is one that the product runs on. */
export function requireNode(version: string): void {
  const major = Number.parseInt(version, 10);
  if (major >= NODE_MAJOR_MIN) return;
  throw new HelpfulError(
    `Node ${version} is too old: this needs Node ${NODE_MAJOR_MIN} or newer.\n` +
      'Run `npm ci` and then `npm start` (the right Node comes with the packages), or put a newer one on the PATH.',
  );
}
