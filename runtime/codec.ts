import { METADATA_ENCODING_KEY, type Payload, type PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { createKeyring, type Keyring, type Keys } from './keyring.ts';

const encoding = 'binary/encrypted';
const encodingBytes = Buffer.from(encoding);

/** Keys by id. The first one encrypts, all of them decrypt, so that keys can be rotated. */
export type CodecKeys = Keys;

/**
 * Encrypts every payload that Temporal stores (AES-256-GCM; the key's id stands in the metadata). Payloads that are not
 * encrypted pass through when they are read, so that histories recorded in clear can be replayed.
 */
export function createCodec(keys: CodecKeys): PayloadCodec {
  const keyring = createKeyring(keys, 'PAYLOAD_CODEC_KEYS');
  return {
    encode: async (payloads) => payloads.map((payload) => encrypt(payload, keyring)),
    decode: async (payloads) => payloads.map((payload) => (isEncrypted(payload) ? decrypt(payload, keyring) : payload)),
  };
}

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

function encrypt(payload: Payload, keyring: Keyring): Payload {
  const { keyId, bytes } = keyring.seal(PayloadMessage.encode(PayloadMessage.create(payload)).finish());
  return {
    metadata: { [METADATA_ENCODING_KEY]: encodingBytes, 'encryption-key-id': Buffer.from(keyId) },
    data: bytes,
  };
}

function isEncrypted(payload: Payload): boolean {
  const found = payload.metadata?.[METADATA_ENCODING_KEY];
  return found != null && Buffer.from(found).toString() === encoding;
}

function decrypt(payload: Payload, keyring: Keyring): Payload {
  const keyId = Buffer.from(payload.metadata?.['encryption-key-id'] ?? []).toString();
  return PayloadMessage.decode(keyring.open({ keyId, bytes: Buffer.from(payload.data ?? []) }));
}
