import { inflateRawSync } from 'node:zlib';

// Signatures and offsets: APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16.
const END_OF_DIRECTORY = 0x06054b50;
const END_OF_DIRECTORY_BYTES = 22;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_ENTRY_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;
const STORED = 0;

/** One file of a zip archive (stored or deflated, below 4 GB), or null when the archive has none of that name. */
export function readFromZip(archive: Buffer, name: string): Buffer | null {
  let end = archive.length - END_OF_DIRECTORY_BYTES;
  while (end >= 0 && archive.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw new Error('not a zip archive');

  let entry = archive.readUInt32LE(end + 16);
  while (archive.readUInt32LE(entry) === DIRECTORY_ENTRY) {
    const nameBytes = archive.readUInt16LE(entry + 28);
    const entryName = archive.toString(
      'utf8',
      entry + DIRECTORY_ENTRY_BYTES,
      entry + DIRECTORY_ENTRY_BYTES + nameBytes,
    );
    if (entryName === name) return contentOf(archive, entry);
    entry += DIRECTORY_ENTRY_BYTES + nameBytes + archive.readUInt16LE(entry + 30) + archive.readUInt16LE(entry + 32);
  }
  return null;
}

function contentOf(archive: Buffer, entry: number): Buffer {
  const method = archive.readUInt16LE(entry + 10);
  const packedBytes = archive.readUInt32LE(entry + 20);
  const header = archive.readUInt32LE(entry + 42);
  const start = header + LOCAL_HEADER_BYTES + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
  const packed = archive.subarray(start, start + packedBytes);
  return method === STORED ? packed : inflateRawSync(packed);
}
