import { createHash } from 'node:crypto';

/**
 * SHA-256 of a JSON body: the same whatever the order of its members and its white space. It is taken of what was sent,
 * before defaults are filled in, so that a later version with other defaults still knows an old request again.
 */
export function hashOfBody(body: unknown): string {
  return createHash('sha256').update(canonical(body)).digest('hex');
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
