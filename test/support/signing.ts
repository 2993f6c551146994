import { randomBytes } from 'node:crypto';
import { parseKey } from '../../runtime/api-key.ts';
import type { SecretBox } from '../../runtime/secret-box.ts';
import type { TestDatabase } from './database.ts';

/** Gives a stored key a signing secret, and returns it. */
export async function giveSigningSecret(
  { db }: TestDatabase,
  secretBox: SecretBox,
  apiKey: string,
  { requiresSignature = true } = {},
): Promise<string> {
  const keyId = parseKey(apiKey)?.keyId ?? '';
  const secret = `pos_${randomBytes(20).toString('hex')}`;
  const signingSecret = secretBox.seal(secret, keyId);
  await db.prisma.apiKey.update({ where: { keyId }, data: { signingSecret, requiresSignature } });
  return secret;
}
