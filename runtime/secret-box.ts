import { createKeyring, type Keys } from './keyring.ts';

/** Encrypts secrets that the database keeps. `owner` is the id of the row: a text copied to another row opens nowhere. */
export interface SecretBox {
  /** `v1:<key id>:<ciphertext in base64url>`. */
  seal(secret: string, owner: string): string;
  /** Throws for a text that was changed, belongs to another owner or needs a key that is missing. */
  open(text: string, owner: string): string;
}

/** Makes the box of the keys in `STORED_SECRETS_KEYS`. Throws without a key. */
export function createSecretBox(keys: Keys): SecretBox {
  const keyring = createKeyring(keys, 'STORED_SECRETS_KEYS');
  return {
    seal(secret, owner) {
      const { keyId, bytes } = keyring.seal(Buffer.from(secret), owner);
      return `v1:${keyId}:${bytes.toString('base64url')}`;
    },
    open(text, owner) {
      const [, keyId, encoded] = /^v1:([^:]+):([\w-]+)$/.exec(text) ?? [];
      if (keyId === undefined || encoded === undefined) throw new Error('A stored secret is unreadable: see its row.');
      return keyring.open({ keyId, bytes: Buffer.from(encoded, 'base64url') }, owner).toString();
    },
  };
}
