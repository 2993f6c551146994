import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { METADATA_ENCODING_KEY, type Payload, type PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

const encoding = 'binary/encrypted';
const encodingBytes = Buffer.from(encoding);
const nonceBytes = 12;
const tagBytes = 16;

/** Keys by id. The first one encrypts, all of them decrypt, so that keys can be rotated. */
export type CodecKeys = ReadonlyMap<string, Buffer>;

/**
 * Encrypts every payload that Temporal stores (AES-256-GCM; the key's id stands in the metadata). Payloads that are not
 * encrypted pass through when they are read, so that histories recorded in clear can be replayed.
 */
export function createCodec(keys: CodecKeys): PayloadCodec {
  const [current] = keys;
  if (current === undefined) throw new Error('The payload codec needs at least one key.');
  const [currentId] = current;
  const prepared = new Map([...keys].map(([id, bytes]) => [id, createSecretKey(bytes)]));
  const currentKey = createSecretKey(current[1]);
  return {
    encode: async (payloads) => payloads.map((payload) => encrypt(payload, currentId, currentKey)),
    decode: async (payloads) =>
      payloads.map((payload) => (isEncrypted(payload) ? decrypt(payload, prepared) : payload)),
  };
}

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

function encrypt(payload: Payload, keyId: string, key: KeyObject): Payload {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(keyId));
  const clear = PayloadMessage.encode(PayloadMessage.create(payload)).finish();
  const data = Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
  return {
    metadata: { [METADATA_ENCODING_KEY]: encodingBytes, 'encryption-key-id': Buffer.from(keyId) },
    data,
  };
}

function isEncrypted(payload: Payload): boolean {
  const found = payload.metadata?.[METADATA_ENCODING_KEY];
  return found != null && Buffer.from(found).toString() === encoding;
}

function decrypt(payload: Payload, keys: ReadonlyMap<string, KeyObject>): Payload {
  const keyId = Buffer.from(payload.metadata?.['encryption-key-id'] ?? []).toString();
  const key = keys.get(keyId);
  if (key === undefined) {
    throw new Error(`No key "${keyId}" to decrypt a payload. Add it to PAYLOAD_CODEC_KEYS; old keys stay there.`);
  }
  const data = Buffer.from(payload.data ?? []);
  const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(keyId));
  decipher.setAuthTag(data.subarray(-tagBytes));
  const clear = Buffer.concat([decipher.update(data.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  return PayloadMessage.decode(clear);
}
