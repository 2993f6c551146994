import { createHash } from 'node:crypto';
import { base32 } from '../../workflows/domain/ids.ts';

/** A key of these parts that is right in form: with the checksum that belongs to it, reckoned as scanners are told to. */
export function forgedKey(kind: string, keyId: string, secret: string): string {
  const body = `po_${kind}_${keyId}_${secret}`;
  return `${body}${base32(createHash('sha256').update(body).digest(), 30)}`;
}
