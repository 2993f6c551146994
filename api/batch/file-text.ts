import { isUtf8 } from 'node:buffer';

/** Why nothing behind a place of a file can be read, and where that is: line and column as an editor shows them, from 1. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
  readonly line: number;
  readonly column: number;

  constructor(line: number, column: number, detail: string) {
    super(detail);
    this.line = line;
    this.column = column;
  }
}

/** The longest line, in bytes: as long as a JSON body may be. */
export const lineBytesMax = 64 * 1024;

/** So many lines a file may have, those without anything too: each costs time. */
const linesMax = 1_000_000;

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const lineFeed = 0x0a;

/**
 * The text of a file in pieces of whole lines, without a byte order mark. Only the last piece may lack the line feed at its end.
 * Throws `UnreadableFile` where the file is not UTF-8, holds a NUL, or has a line that is too long or too many lines; what is before it
 * comes first.
 */
export async function* fileText(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 1;
  let isFirst = true;
  for await (const chunk of chunks) {
    const known = Buffer.concat([rest, chunk]);
    const end = known.lastIndexOf(lineFeed) + 1;
    rest = known.subarray(end);
    const text = textOf(withoutMark(known.subarray(0, end), isFirst), line);
    isFirst &&= end === 0;
    line += countLines(text);
    if (text !== '') yield text;
    if (line > linesMax) throw new UnreadableFile(line, 1, `a file may have at most ${linesMax} lines: split it`);
    if (rest.length > lineBytesMax) throw new UnreadableFile(line, lineBytesMax, tooLong);
  }
  const text = textOf(withoutMark(rest, isFirst), line);
  if (text !== '') yield text;
}

const tooLong = `the line is longer than ${lineBytesMax / 1024} KB: is a quote not closed, or are these no lines?`;

function withoutMark(bytes: Buffer, isFirst: boolean): Buffer {
  return isFirst && bytes.subarray(0, 3).equals(byteOrderMark) ? bytes.subarray(3) : bytes;
}

function textOf(bytes: Buffer, line: number): string {
  const nul = bytes.indexOf(0);
  const broken = isUtf8(bytes) ? -1 : firstBrokenByte(bytes);
  if (broken >= 0 && (nul < 0 || broken < nul))
    throw unreadableAt(bytes, broken, line, 'is not UTF-8: save the file as UTF-8');
  if (nul >= 0) throw unreadableAt(bytes, nul, line, 'is a NUL character: is this a text file?');
  return bytes.toString();
}

/** Reading replaces what cannot be read: where writing it again gives other bytes, that begins. */
function firstBrokenByte(bytes: Buffer): number {
  const again = Buffer.from(bytes.toString());
  return bytes.findIndex((byte, index) => byte !== again[index]);
}

function unreadableAt(bytes: Buffer, offset: number, firstLine: number, detail: string): UnreadableFile {
  const before = bytes.subarray(0, offset).toString();
  const lineStart = before.lastIndexOf('\n') + 1;
  return new UnreadableFile(firstLine + countLines(before), before.length - lineStart + 1, detail);
}

/** How many line feeds there are. */
export function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
