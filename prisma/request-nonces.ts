import { createHash } from 'node:crypto';
import { type Database, run } from './database.ts';

const remember = {
  name: 'remember_nonce',
  text: `
    INSERT INTO request_nonces (key_id, nonce_hash, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING RETURNING key_id`,
};

/** Remembers a key's nonce until then. False: this key used it before, perhaps in this very moment in another process. */
export async function rememberNonce(db: Database, keyId: string, nonce: string, expiresAt: Date): Promise<boolean> {
  const hash = createHash('sha256').update(nonce).digest('hex');
  const rows = await run(db, remember, [keyId, hash, expiresAt]);
  return rows.length === 1;
}
