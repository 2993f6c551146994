import { Problem } from './errors.ts';
import type { Principal } from './principal.ts';

/** A person who is logged in. */
export interface Person {
  readonly userId: string;
  readonly sessionId: string;
}

/** The person who calls. Throws `forbidden` for keys, and for tokens that a key asked for. */
export function requirePerson({ credential }: Principal): Person {
  if (credential.kind === 'session' && credential.userId !== null)
    return { userId: credential.userId, sessionId: credential.sessionId };
  throw new Problem('forbidden', { detail: 'This is for people alone: log in.' });
}
