import type { Response } from 'express';
import type { Principal } from '../principal.ts';

/** Who calls, and whether the database was away when that was found out. */
export interface Known {
  readonly principal: Principal | null;
  /** The database's error; null: it answered. */
  readonly outage: unknown;
}

const nobody: Known = { principal: null, outage: null };

/** Keeps who calls for the layers behind. */
export function setKnown(response: Response, known: Known): void {
  response.locals['known'] = known;
}

/** Who calls; nobody before `authenticate`, and on public routes. */
export function knownOf(response: Response): Known {
  return (response.locals['known'] as Known | undefined) ?? nobody;
}

/** Who calls a route that somebody known must call. */
export function principalOf(response: Response): Principal {
  const { principal } = knownOf(response);
  if (principal === null) throw new Error('a layer for known callers came before authentication');
  return principal;
}

/** Keeps the body as it was sent for the layers behind. */
export function setBodyBytes(response: Response, bytes: Buffer): void {
  response.locals['bodyBytes'] = bytes;
}

/** Keeps the SHA-256 of a body that is a file, in hex. */
export function setBodyHash(response: Response, hash: string): void {
  response.locals['bodyHash'] = hash;
}

/** The SHA-256 of a body that is a file, in hex; null: the body is none. */
export function bodyHashOf(response: Response): string | null {
  const hash: unknown = response.locals['bodyHash'];
  return typeof hash === 'string' ? hash : null;
}

/** The body as it was sent; of no bytes where none was read. */
export function bodyBytesOf(response: Response): Buffer {
  const bytes: unknown = response.locals['bodyBytes'];
  return Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0);
}
