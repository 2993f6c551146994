import { hostname } from 'node:os';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { type History, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { z } from 'zod';

/**
 * A downloaded history as JSON that replays anywhere: payloads and failures decrypted, and nothing in it of the machine
 * that it was recorded on.
 */
export async function toReadableJson(history: History, codecs: readonly PayloadCodec[]): Promise<string> {
  await decodePayloads(history, codecs);
  // A host's name may be short, and stand in the middle of an id.
  const readable: unknown = JSON.parse(historyToJSON(history).replaceAll(`@${hostname()}`, '@worker-host'));
  openFailures(readable);
  return `${JSON.stringify(readable, null, 1)}\n`;
}

const payloadSchema = z.object({
  metadata: z.record(z.string(), z.instanceof(Uint8Array)),
  data: z.instanceof(Uint8Array),
});

/** Replaces every payload in a protobuf message, wherever it stands, by what the codecs make of it. */
async function decodePayloads(message: unknown, codecs: readonly PayloadCodec[]): Promise<void> {
  if (typeof message !== 'object' || message === null || message instanceof Uint8Array) return;
  const payload = payloadSchema.safeParse(message);
  if (payload.success) {
    let decoded: Payload[] = [payload.data];
    for (const codec of codecs) decoded = await codec.decode(decoded);
    Object.assign(message, decoded[0]);
    return;
  }
  for (const part of Object.values(message)) await decodePayloads(part, codecs);
}

const failureSchema = z.object({ message: z.string(), encodedAttributes: z.object({ data: z.string() }) });
const attributesSchema = z.object({ message: z.string() });

/** Puts the messages of failures back where people read them, without stack traces: those name files of a machine. */
function openFailures(json: unknown): void {
  if (typeof json !== 'object' || json === null) return;
  const failure = failureSchema.safeParse(json);
  if (failure.success) {
    const { data } = failure.data.encodedAttributes;
    const { message } = attributesSchema.parse(JSON.parse(Buffer.from(data, 'base64').toString()));
    Object.assign(json, { message });
    Reflect.deleteProperty(json, 'encodedAttributes');
  }
  for (const part of Object.values(json)) openFailures(part);
}
