import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';

const nonceBytes = 12;
const tagBytes = 16;

/** Keys of 32 bytes by id. The first one encrypts, all of them decrypt, so that keys can be rotated. */
export type Keys = ReadonlyMap<string, Buffer>;

/** What was encrypted, with the id of its key: nonce, ciphertext and tag in one. */
interface Sealed {
  readonly keyId: string;
  readonly bytes: Buffer;
}

/** Encrypts with AES-256-GCM. `context` is not stored: only who names the same one can decrypt. */
export interface Keyring {
  seal(clear: Uint8Array, context?: string): Sealed;
  /** Throws when the key is missing, naming it and the setting, or when anything was changed. */
  open(sealed: { readonly keyId: string; readonly bytes: Uint8Array }, context?: string): Buffer;
}

/** Makes a keyring of the keys in a setting, whose name its errors give. Throws without a key. */
export function createKeyring(keys: Keys, setting: string): Keyring {
  const [current] = keys;
  if (current === undefined) throw new Error(`${setting} needs at least one key.`);
  const [currentId] = current;
  const currentKey = createSecretKey(current[1]);
  const all = new Map([...keys].map(([id, bytes]) => [id, createSecretKey(bytes)]));
  return {
    seal(clear, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', currentKey, nonce).setAAD(authenticated(currentId, context));
      const bytes = Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
      return { keyId: currentId, bytes };
    },
    open({ keyId, bytes }, context) {
      const key = all.get(keyId);
      if (key === undefined)
        throw new Error(`No key "${keyId}" to decrypt with. Add it to ${setting}; old keys stay there.`);
      const nonce = bytes.subarray(0, nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(authenticated(keyId, context)).setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
    },
  };
}

function authenticated(keyId: string, context: string | undefined): Buffer {
  return Buffer.from(context === undefined ? keyId : `${keyId}\n${context}`);
}
