import { Problem } from '../errors.ts';
import { parseJson } from '../middleware/read-body.ts';
import { CardNumberInFile, type FileRow } from './rows.ts';

/** The rows of an NDJSON file: one JSON object per line. Lines without anything are passed over. */
export async function* ndjsonRows(text: AsyncIterable<string>): AsyncGenerator<FileRow> {
  let line = 0;
  let number = 0;
  for await (const piece of text) {
    const lines = piece.split('\n');
    if (lines.at(-1) === '') lines.pop();
    for (const one of lines) {
      line += 1;
      if (/^[ \t\r]*$/.test(one)) continue;
      number += 1;
      yield rowOf(one.replace(/\r$/, ''), line, number);
    }
  }
}

function rowOf(text: string, line: number, number: number): FileRow {
  const at = (pointer: string) => ({ line, column: columnOf(text, pointer) });
  const unreadable = (column: number, detail: string, pointer?: string): FileRow => {
    const error = { line, column, ...(pointer === undefined ? {} : { pointer }), detail };
    return { number, line, body: null, errors: [error], at };
  };
  const broken = brokenAt(text);
  if (broken !== null) return unreadable(broken, 'is no JSON from here on: is the line cut off?');
  try {
    const value = parseJson(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return unreadable(1, 'is no JSON object');
    return { number, line, body: { ...value }, errors: [], at };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const [first] = error.errors;
    const pointer = first?.pointer ?? '';
    if (error.code === 'card_number_refused') throw new CardNumberInFile({ line, column: columnOf(text, pointer) });
    return unreadable(columnOf(text, pointer), first?.detail ?? error.detail, pointer);
  }
}

/** The column from which on a text is no JSON; null: it is. */
function brokenAt(text: string): number | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const [, position] = /at position (\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
    return position === undefined ? text.length + 1 : Number(position) + 1;
  }
}

/** Where the member at a pointer begins, as well as its names tell; the row's beginning where it is not there. */
function columnOf(text: string, pointer: string): number {
  let from = 0;
  for (const part of pointer.split('/').slice(1)) {
    const name = JSON.stringify(part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const found = text.slice(from).search(new RegExp(`${escaped(name)}\\s*:`));
    if (found < 0) break;
    from += found;
  }
  return from + 1;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
