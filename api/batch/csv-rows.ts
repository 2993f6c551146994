import { type CsvError, parse } from 'csv-parse';
import type { BatchError } from '../../prisma/batches.ts';
import { containsCardNumber } from '../../workflows/domain/card-number.ts';
import { pointerToken } from '../../workflows/domain/json-pointer.ts';
import type { Column, Columns } from './columns.ts';
import { countLines, lineBytesMax, UnreadableFile } from './file-text.ts';
import { CardNumberInFile, type FileRow, type Place } from './rows.ts';

/** A line of a CSV file, or several where a cell holds line breaks. */
interface Record {
  readonly cells: readonly string[];
  /** Where it begins, and as it stands there. */
  readonly line: number;
  readonly raw: string;
}

/** So many columns a file may have: what is wrong with a row is found in all of its cells. */
const columnsMax = 100;

/** The columns of a file, with what leads from a JSON pointer to the one that holds what is there. */
interface Header {
  readonly columns: readonly Column[];
  readonly indexOf: ReadonlyMap<string, number>;
}

/** What is wrong with a header: nothing behind it can be read. */
export class WrongHeader extends Error {
  override readonly name = 'WrongHeader';
  readonly errors: readonly BatchError[];

  constructor(errors: readonly BatchError[]) {
    super('the header is wrong');
    this.errors = errors;
  }
}

/**
 * The rows of a CSV file (RFC 4180): commas, double quotes, LF or CRLF; the first line names the columns. An empty cell is as if it
 * were not there. Lines without anything are passed over. Throws `WrongHeader`, and `UnreadableFile` where quotes are not right.
 */
export async function* csvRows(text: AsyncIterable<string>, columns: Columns): AsyncGenerator<FileRow> {
  let header: Header | null = null;
  let number = 0;
  for await (const record of csvRecords(text)) {
    refuseCardNumbers(record);
    if (header === null) header = headerOf(record, columns);
    else yield rowOf(record, header, ++number);
  }
  if (header === null)
    throw new WrongHeader([{ line: 1, column: 1, detail: 'the file is empty: its first line must name the columns' }]);
}

/** The records that hold something, each once it was read, those before an error too. */
async function* csvRecords(text: AsyncIterable<string>): AsyncGenerator<Record> {
  const read: Record[] = [];
  const failures: CsvError[] = [];
  let nextLine = 1;
  let unread = '';
  const parser = parse({
    relax_column_count: true,
    skip_empty_lines: true, // they stand before the record behind them
    record_delimiter: ['\r\n', '\n'],
    max_record_size: lineBytesMax,
    raw: true,
    on_record: (cells: string[] | { record: string[] }, { lines, raw = '' }) => {
      const own = raw.replace(/^[\r\n]+/, '');
      const line = nextLine + countLines(raw.slice(0, raw.length - own.length));
      const record = { cells: Array.isArray(cells) ? cells : cells.record, line, raw: own };
      if (record.cells.length > 1 || record.cells[0]?.trim() !== '') read.push(record);
      nextLine = lines + 1;
      return null;
    },
  });
  parser.on('error', (error) => failures.push(error as CsvError));
  const sent = async (send: (done: () => void) => void): Promise<readonly Record[]> => {
    const firstLine = nextLine;
    await new Promise<void>((resolve) => send(resolve));
    for (let line = firstLine; line < nextLine; line++) unread = unread.slice(unread.indexOf('\n') + 1);
    return read.splice(0);
  };
  const requireReadable = () => {
    const [failure] = failures;
    if (failure !== undefined) throw unreadable(failure, unread, nextLine);
  };
  for await (const piece of text) {
    unread += piece;
    yield* await sent((done) => parser.write(piece, () => done()));
    requireReadable();
  }
  yield* await sent((done) => parser.end(() => done()));
  requireReadable();
}

const reasons: Readonly<{ [code: string]: string }> = {
  CSV_QUOTE_NOT_CLOSED: 'begins with a quote that is not closed: is the file cut off?',
  CSV_INVALID_CLOSING_QUOTE: 'goes on behind its closing quote: write a quote within quotes twice',
  INVALID_OPENING_QUOTE: 'has a quote in its middle: put the whole cell in quotes, and write the quote twice',
  CSV_MAX_RECORD_SIZE: `is longer than ${lineBytesMax / 1024} KB: is a quote not closed?`,
};

function unreadable({ code, column }: CsvError, unread: string, firstLine: number): UnreadableFile {
  const at = placesOf({ raw: unread, line: firstLine });
  const { line, column: inLine } = at(typeof column === 'number' ? column : 0);
  return new UnreadableFile(line, inLine, `the cell ${reasons[code] ?? 'cannot be read'}`);
}

function headerOf(record: Record, columns: Columns): Header {
  const { cells, line } = record;
  if (cells.length > columnsMax) {
    const detail = `the header has ${cells.length} columns: a file may have at most ${columnsMax}`;
    throw new WrongHeader([{ line, column: 1, detail }]);
  }
  const at = placesOf(record);
  const known = cells.map((name) => columns.find(name.trim()));
  const isHeader = known.some((column) => column !== null); // a file without one has somebody's data here
  const errors = cells.flatMap((cell, index): BatchError[] => {
    const name = cell.trim();
    const shown = isHeader && /^[a-z_][a-z0-9_.]{0,60}$/i.test(name) ? JSON.stringify(name) : `number ${index + 1}`;
    const errorAt = (detail: string) => [{ line, column: at(index).column, detail: `the column ${shown} ${detail}` }];
    if (known[index] === null) return errorAt(`is not known; known are: ${columns.names.join(', ')}${hintOf(cells)}`);
    return cells.findIndex((other) => other.trim() === name) < index ? errorAt('is there twice') : [];
  });
  const missing = columns.required.filter((name) => !cells.some((cell) => cell.trim() === name));
  const lacking = missing.map((name) => ({ line, column: 1, detail: `the column ${JSON.stringify(name)} is missing` }));
  if (errors.length > 0 || lacking.length > 0) throw new WrongHeader([...errors, ...lacking]);
  const found = known.filter((column) => column !== null);
  return { columns: found, indexOf: indexesOf(found) };
}

/** The first column that holds what is at a pointer, or a part of it. */
function indexesOf(columns: readonly Column[]): ReadonlyMap<string, number> {
  const indexes = new Map<string, number>();
  for (const [index, { path }] of columns.entries()) {
    for (let depth = path.length; depth > 0; depth--) {
      const pointer = pointerOf(path.slice(0, depth));
      if (!indexes.has(pointer)) indexes.set(pointer, index);
    }
  }
  return indexes;
}

/** That of what the pointer leads to, or of what that is in. */
function columnAt({ indexOf }: Header, pointer: string): number | undefined {
  for (let whole = pointer; whole !== ''; whole = whole.slice(0, whole.lastIndexOf('/'))) {
    const index = indexOf.get(whole);
    if (index !== undefined) return index;
  }
  return undefined;
}

function hintOf(cells: readonly string[]): string {
  return cells.length === 1 && /[;\t]/.test(cells[0] ?? '') ? '. Columns must be separated by commas' : '';
}

function rowOf(record: Record, header: Header, number: number): FileRow {
  const { cells, line } = record;
  const { columns } = header;
  const places = placesOf(record);
  const at = (pointer: string) => {
    const index = columnAt(header, pointer);
    return index === undefined || index >= cells.length ? { line, column: 1 } : places(index);
  };
  if (cells.length !== columns.length) {
    const detail = `the row has ${cells.length} cells, the header ${columns.length}: is a quote missing, or is the line cut off?`;
    return { number, line, body: null, errors: [{ ...places(cells.length - 1), detail }], at };
  }
  const formulas = cells.flatMap((cell, index): BatchError[] =>
    beginsAsFormula(cell)
      ? [{ ...places(index), pointer: pointerOf(columns[index]?.path ?? []), detail: formula }]
      : [],
  );
  if (formulas.length > 0) return { number, line, body: null, errors: formulas, at };
  const body: { [name: string]: unknown } = {};
  for (const [index, { path, read }] of columns.entries()) {
    const cell = cells[index] ?? '';
    if (cell !== '') put(body, path, read(cell));
  }
  return { number, line, body, errors: [], at };
}

/** Spreadsheets run such text (OWASP, "CSV Injection"): whoever opens a file or a result must not run a merchant's. */
export function beginsAsFormula(text: string): boolean {
  return /^[=+\-@\t\r]/.test(text);
}

const formula =
  'begins like a formula, which spreadsheets would run: it must not begin with =, +, -, @, a tab or a line break';

function pointerOf(path: readonly string[]): string {
  return path.map((part) => `/${pointerToken(part)}`).join('');
}

function put(body: { [name: string]: unknown }, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path;
  if (rest.length === 0) {
    Object.defineProperty(body, name, { value, enumerable: true, configurable: true, writable: true });
    return;
  }
  const inner = Object.hasOwn(body, name) ? body[name] : {};
  const member = inner as { [name: string]: unknown };
  put(member, rest, value);
  body[name] = member;
}

/** Says where the cells of a record begin; it looks for all of them at once, when it is asked first. */
function placesOf(record: Pick<Record, 'raw' | 'line'>): (index: number) => Place {
  let places: readonly Place[] | null = null;
  return (index) => {
    places ??= allPlaces(record);
    return places[index] ?? places.at(-1) ?? { line: record.line, column: 1 };
  };
}

function allPlaces({ raw, line: firstLine }: Pick<Record, 'raw' | 'line'>): readonly Place[] {
  const places: Place[] = [{ line: firstLine, column: 1 }];
  let line = firstLine;
  let lineStart = 0;
  let isQuoted = false;
  for (let at = 0; at < raw.length; at++) {
    const character = raw[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (character === '\n') {
      line += 1;
      lineStart = at + 1;
    } else if (character === ',' && !isQuoted) places.push({ line, column: at + 1 - lineStart + 1 });
  }
  return places;
}

function refuseCardNumbers(record: Record): void {
  if (!containsCardNumber(record.raw) && !record.cells.some((cell) => cell.includes('"') && containsCardNumber(cell)))
    return;
  const index = record.cells.findIndex((cell) => containsCardNumber(cell));
  throw new CardNumberInFile(placesOf(record)(Math.max(0, index)));
}
