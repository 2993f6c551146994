import { randomBytes } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCodec } from '../../runtime/codec.ts';

const old = randomBytes(32);
const current = randomBytes(32);
const codec = createCodec(new Map([['one', old]]));
const rotated = createCodec(
  new Map([
    ['two', current],
    ['one', old],
  ]),
);

const payload = (text: string): Payload => ({
  metadata: { encoding: Buffer.from('json/plain'), note: Buffer.from('a note') },
  data: Buffer.from(JSON.stringify(text)),
});

const plain = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
  ),
  data: Buffer.from(data ?? []).toString('hex'),
});

async function encrypted(text: string, by = codec): Promise<Payload> {
  const [one] = await by.encode([payload(text)]);
  if (one === undefined) throw new Error('nothing was encoded');
  return one;
}

describe('the payload codec', () => {
  test('gives back what it was given: data and metadata, in order', async () => {
    const payloads = [payload('first'), payload(''), payload('山田 🙂')];
    const decoded = await codec.decode(await codec.encode(payloads));
    expect(decoded.map(plain)).toEqual(payloads.map(plain));
    expect(await codec.decode(await codec.encode([]))).toEqual([]);
  });

  test('gives back payloads without data or metadata', async () => {
    const decoded = await codec.decode(await codec.encode([{}]));
    expect(decoded.map(plain)).toEqual([{ metadata: {}, data: '' }]);
  });

  // A failing property prints its seed and its smallest counterexample.
  test('gives back any bytes', async () => {
    const property = fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (data) => {
      const decoded = await codec.decode(
        await codec.encode([{ metadata: { encoding: Buffer.from('binary/plain') }, data }]),
      );
      expect(decoded.map((one) => plain(one).data)).toEqual([Buffer.from(data).toString('hex')]);
    });
    await fc.assert(property);
  });

  test('shows nothing but the id of its key', async () => {
    const one = await encrypted('a secret of some length');
    expect(Object.keys(one.metadata ?? {}).toSorted()).toEqual(['encoding', 'encryption-key-id']);
    expect(Buffer.from(one.metadata?.['encoding'] ?? []).toString()).toBe('binary/encrypted');
    expect(Buffer.from(one.metadata?.['encryption-key-id'] ?? []).toString()).toBe('one');
    const bytes = Buffer.from(one.data ?? []);
    for (const text of ['secret', 'json/plain', 'a note']) expect(bytes.includes(text)).toBe(false);
  });

  test('never writes the same twice', async () => {
    const all = await codec.encode(Array.from({ length: 200 }, () => payload('same')));
    const nonces = all.map((one) =>
      Buffer.from(one.data ?? [])
        .subarray(0, 12)
        .toString('hex'),
    );
    expect(new Set(nonces).size).toBe(200);
  });

  test('lets payloads pass that were written in clear', async () => {
    const clear = [payload('clear'), {}, { data: Buffer.from('x') }];
    expect((await codec.decode(clear)).map(plain)).toEqual(clear.map(plain));
  });

  test('reads what an older key wrote, and writes with the first', async () => {
    expect((await rotated.decode([await encrypted('old')])).map(plain)).toEqual([plain(payload('old'))]);
    const [written] = await rotated.encode([payload('new')]);
    expect(Buffer.from(written?.metadata?.['encryption-key-id'] ?? []).toString()).toBe('two');
  });

  test('names the key that is missing and what to do', async () => {
    const written = await encrypted('new', rotated);
    await expect(codec.decode([written])).rejects.toThrow(/No key "two".*PAYLOAD_CODEC_KEYS/);
  });

  test('refuses every changed byte, another key under the same id, and a key id that was exchanged', async () => {
    const one = await encrypted('x');
    const bytes = Buffer.from(one.data ?? []);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(codec.decode([{ ...one, data: changed }])).rejects.toThrow();
    }
    for (const length of [0, 11, 12, 27, bytes.length - 1]) {
      await expect(codec.decode([{ ...one, data: bytes.subarray(0, length) }])).rejects.toThrow();
    }
    await expect(createCodec(new Map([['one', current]])).decode([one])).rejects.toThrow();
    const bothIds = createCodec(
      new Map([
        ['one', old],
        ['two', old],
      ]),
    );
    const metadata = { ...one.metadata, 'encryption-key-id': Buffer.from('two') };
    await expect(bothIds.decode([{ ...one, metadata }])).rejects.toThrow();
  });

  test('does not start without a key', () => {
    expect(() => createCodec(new Map())).toThrow('at least one key');
  });
});
