import { randomBytes } from 'node:crypto';
import { base32 } from '../workflows/domain/ids.ts';

/** `prefix_` and 130 random bits in 26 characters: for rows that no repeat has to find again. Others derive their ids. */
export function randomId(prefix: string): string {
  return `${prefix}_${base32(randomBytes(17), 130)}`;
}
