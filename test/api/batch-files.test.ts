import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { columnsOf } from '../../api/batch/columns.ts';
import { csvRows, WrongHeader } from '../../api/batch/csv-rows.ts';
import { fileText, UnreadableFile } from '../../api/batch/file-text.ts';
import { kindRules } from '../../api/batch/kinds.ts';
import { ndjsonRows } from '../../api/batch/ndjson-rows.ts';
import { CardNumberInFile, type FileRow } from '../../api/batch/rows.ts';
import { SpooledFile } from '../../api/spooled-file.ts';

/** The bytes in chunks of so many: where they are cut must not matter. */
async function* chunked(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** A file's rows as the product reads them, from one chunk, and from chunks that cut every character. */
async function rowsOf(format: 'csv' | 'ndjson', file: string | Buffer): Promise<FileRow[]> {
  const { columns } = kindRules.payments;
  const read = (size: number) => {
    const text = fileText(chunked(Buffer.from(file), size));
    return all(format === 'csv' ? csvRows(text, columns) : ndjsonRows(text));
  };
  const shown = (rows: FileRow[]) => rows.map(({ number, line, body, errors }) => ({ number, line, body, errors }));
  const rows = await read(1 << 20);
  expect(shown(await read(1))).toEqual(shown(rows));
  return rows;
}

/** What was read, and the errors of rows that cannot be. */
async function outcomeOf(format: 'csv' | 'ndjson', file: string | Buffer) {
  try {
    const rows = await rowsOf(format, file);
    return { bodies: rows.map(({ body }) => body), errors: rows.flatMap(({ errors }) => errors) };
  } catch (error) {
    if (error instanceof WrongHeader) return { bodies: null, errors: error.errors };
    if (error instanceof UnreadableFile || error instanceof CardNumberInFile) {
      const { line, column, message: detail } = error;
      return { bodies: null, errors: [{ line, column, detail }] };
    }
    throw error;
  }
}

const header = 'key,amount,currency,payment_method,card_token';
const row = 'a,25.99,USD,credit_card,tok_visa_4242';
const body = { key: 'a', amount: '25.99', currency: 'USD', payment_method: 'credit_card', card_token: 'tok_visa_4242' };

describe('a CSV file is read', () => {
  test.each([
    ['with LF', `${header}\n${row}\n`],
    ['with CRLF', `${header}\r\n${row}\r\n`],
    ['without a line break at its end', `${header}\n${row}`],
    ['with a byte order mark', `\u{feff}${header}\n${row}\n`],
    ['with quotes around each cell', `${header}\n"a","25.99","USD","credit_card","tok_visa_4242"\n`],
    ['with a quoted header', `"key",amount,"currency",payment_method,card_token\n${row}\n`],
    ['with empty lines', `${header}\n\n${row}\n\r\n\n`],
    [
      'with columns in another order',
      'card_token,key,currency,amount,payment_method\ntok_visa_4242,a,USD,25.99,credit_card',
    ],
    ['with empty cells, which are not there', `${header},description,metadata.order\n${row},,\n`],
  ])('%s', async (_name, file) => {
    expect(await outcomeOf('csv', file)).toEqual({ bodies: [body], errors: [] });
  });

  test('with commas, quotes and line breaks within quotes', async () => {
    const file = `${header},description\n${row},"one, ""two""\r\nthree"\nb${row.slice(1)},four\n`;
    const { bodies } = await outcomeOf('csv', file);
    expect(bodies).toEqual([
      { ...body, description: 'one, "two"\r\nthree' },
      { ...body, key: 'b', description: 'four' },
    ]);
  });

  test('with dots in its columns, which lead into members', async () => {
    const file = `${header},metadata.order,metadata.a.b,retry.schedule,retry.attempts_max\n${row},7,x,60 300,3\n`;
    const retry = { schedule: [60, 300], attempts_max: 3 };
    expect((await outcomeOf('csv', file)).bodies).toEqual([{ ...body, metadata: { order: '7', 'a.b': 'x' }, retry }]);
  });

  test('with every character that text may have, wherever the chunks are cut', async () => {
    const file = `${header},customer_name\n${row},Zoë 山田 🦊\n`;
    expect((await outcomeOf('csv', file)).bodies).toEqual([{ ...body, customer_name: 'Zoë 山田 🦊' }]);
  });

  test('line by line: each row knows its number, its line and where its cells begin', async () => {
    const rows = await rowsOf('csv', `${header},description\n\n${row},"two\nlines"\n${row},x\n`);
    expect(rows.map(({ number, line }) => [number, line])).toEqual([
      [1, 3],
      [2, 5],
    ]);
    expect(rows[0]?.at('/currency')).toEqual({ line: 3, column: 9 });
    expect(rows[1]?.at('/description')).toEqual({ line: 5, column: 39 });
    expect(rows[1]?.at('/nowhere')).toEqual({ line: 5, column: 1 });
  });
});

const formula = 'begins like a formula';

describe('a CSV file is refused, with line and column:', () => {
  test.each<[string, string | Buffer, [number, number, string][]]>([
    ['an empty file', '', [[1, 1, 'the file is empty']]],
    ['a file of empty lines', '\n\n', [[1, 1, 'the file is empty']]],
    ['an unknown column', `${header},colour\n${row},red\n`, [[1, 47, 'the column "colour" is not known']]],
    ['a column that is there twice', `${header},amount\n${row},1\n`, [[1, 47, 'the column "amount" is there twice']]],
    [
      'more columns than 100',
      `${header},${Array.from({ length: 96 }, (_, index) => `metadata.m${index}`).join(',')}\n`,
      [[1, 1, 'has 101 columns: a file may have at most 100']],
    ],
    ['more lines than a million', `${header}\n${'\n'.repeat(1_000_000)}`, [[1_000_002, 1, 'at most 1000000 lines']]],
    [
      'a missing column',
      'key,amount,currency,payment_method\na,1,USD,credit_card\n',
      [[1, 1, 'the column "card_token" is missing']],
    ],
    [
      'a column that only looks like an open one',
      `${header},metadata.*x*,metadata.\n${row},1,2\n`,
      [[1, 60, 'is not known']],
    ],
    [
      'semicolons',
      `${header.replaceAll(',', ';')}\n`,
      [
        [1, 1, 'must be separated by commas'],
        [1, 1, 'is missing'],
      ],
    ],
    ['a row that is too short', `${header}\na,25.99,USD\n`, [[2, 9, 'has 3 cells, the header 5']]],
    ['a row that is too long', `${header}\n${row},more\n`, [[2, 39, 'has 6 cells, the header 5']]],
    ['half a last line', `${header}\n${row}\nb,25.9`, [[3, 3, 'has 2 cells, the header 5']]],
    ['a quote that is not closed', `${header}\n${row}\n"b,1,USD\nc,2\n`, [[3, 1, 'a quote that is not closed']]],
    ['text behind a quote', `${header}\n${row}\nb,"1"2,USD\n`, [[3, 3, 'goes on behind its closing quote']]],
    ['a quote in a cell', `${header}\n${row}\nb,1"2,USD\n`, [[3, 3, 'has a quote in its middle']]],
    ['a cell that begins with =', `${header}\n=1+1${row.slice(1)}\n`, [[2, 1, formula]]],
    ['a cell that begins with +', `${header}\na,+1,USD,credit_card,tok\n`, [[2, 3, formula]]],
    ['a cell that begins with -', `${header}\na,-1,USD,credit_card,tok\n`, [[2, 3, formula]]],
    ['a cell that begins with @', `${header}\na,1,USD,credit_card,@tok\n`, [[2, 21, formula]]],
    ['a cell that begins with a tab', `${header}\na,1,USD,credit_card,\ttok\n`, [[2, 21, formula]]],
    [
      'a quoted cell that begins with a carriage return',
      `${header}\na,1,USD,credit_card,"\rtok"\n`,
      [[2, 21, formula]],
    ],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from(`${header}\n${row}\nbü`), Buffer.from([0xff, 0x0a])]),
      [[3, 3, 'is not UTF-8']],
    ],
    ['a cut character at its end', Buffer.from(`${header}\n${row}ü`).subarray(0, -1), [[2, 38, 'is not UTF-8']]],
    ['UTF-16', Buffer.from(`\u{feff}${header}\n`, 'utf16le'), [[1, 1, 'is not UTF-8']]],
    ['a NUL', `${header}\n${row}\nb,1\0,USD\n`, [[3, 4, 'is a NUL']]],
    ['a line without an end', `${header}\n${'x'.repeat(200_000)}`, [[2, 65_536, 'longer than 64 KB']]],
    [
      'a card number',
      `${header},description\n${row},x\n${row},4242 4242 4242 4242\n`,
      [[3, 39, 'holds a card number']],
    ],
  ])('%s', async (_name, file, expected) => {
    const { errors } = await outcomeOf('csv', file);
    expect(errors.slice(0, expected.length).map(({ line, column }) => [line, column])).toEqual(
      expected.map(([line, column]) => [line, column]),
    );
    for (const [index, [, , detail]] of expected.entries()) expect(errors[index]?.detail).toContain(detail);
  });

  test('what is wrong with the rows before a broken quote is told too', async () => {
    const text = fileText(chunked(Buffer.from(`${header}\nshort\n${row}\nb,"1\n`), 1 << 20));
    const seen: FileRow[] = [];
    const reading = (async () => {
      for await (const one of csvRows(text, kindRules.payments.columns)) seen.push(one);
    })();
    await expect(reading).rejects.toThrow(UnreadableFile);
    expect(seen.map(({ errors }) => errors.length)).toEqual([1, 0]);
  });

  test('a file without a header repeats nothing of what it holds', async () => {
    const { errors } = await outcomeOf('csv', 'ada@example.com,Ada Lovelace,lovelace\n');
    expect(errors.length).toBeGreaterThan(3);
    expect(JSON.stringify(errors)).not.toMatch(/ada@|lovelace/i);
  });
});

describe('an NDJSON file', () => {
  const line = JSON.stringify(body);

  test.each([
    ['with LF', `${line}\n`],
    ['with CRLF', `${line}\r\n`],
    ['without a line break at its end', line],
    ['with a byte order mark and empty lines', `\u{feff}\n${line}\n\n`],
  ])('is read %s', async (_name, file) => {
    expect(await outcomeOf('ndjson', file)).toEqual({ bodies: [body], errors: [] });
  });

  test.each<[string, string, [number, number, string]]>([
    ['half a last line', `${line}\n${line.slice(0, 30)}`, [2, 31, 'is the line cut off?']],
    ['two objects on a line', `${line}${line}\n`, [1, line.length + 1, 'is no JSON from here on']],
    ['an array', `${line}\n[1]\n`, [2, 1, 'is no JSON object']],
    ['a member that is there twice', '{"key":"a","amount":"1","amount":"2"}\n', [1, 12, 'stands there twice']],
    ['a __proto__', '{"key":"a","__proto__":{}}\n', [1, 12, 'is not allowed']],
    ['a card number', `${line}\n{"key":"a","description":"4242424242424242"}\n`, [2, 12, 'holds a card number']],
  ])('is refused, with line and column: %s', async (_name, file, [atLine, column, detail]) => {
    const { errors } = await outcomeOf('ndjson', file);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ line: atLine, column });
    expect(errors[0]?.detail).toContain(detail);
  });
});

describe('columns', () => {
  test('of subscriptions lead to all that the API takes', () => {
    const { names, required } = kindRules.subscriptions.columns;
    expect(names).toEqual(
      expect.arrayContaining(['key', 'plan_id', 'payment_method.card_token', 'metadata.*', 'trial_days']),
    );
    expect(required.toSorted()).toEqual([
      'customer_id',
      'key',
      'payment_method.card_token',
      'payment_method.type',
      'plan_id',
    ]);
  });

  test('read what they are for: numbers, words for yes and no, texts as they are', () => {
    const columns = columnsOf(z.strictObject({ count: z.int(), isOn: z.boolean(), text: z.string() }));
    const read = (name: string, cell: string) => columns.find(name)?.read(cell);
    expect([read('count', '17'), read('count', '1x'), read('count', '1e3')]).toEqual([17, '1x', '1e3']);
    expect([read('isOn', 'true'), read('isOn', 'false'), read('isOn', 'yes')]).toEqual([true, false, 'yes']);
    expect(read('text', '017')).toBe('017');
    expect([columns.find('constructor'), columns.find('__proto__'), columns.find('text.x')]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

test('a spooled file that is closed while somebody reads it stays until its end: nobody reads another file in its place', async () => {
  const chunk = Buffer.alloc(1 << 20, 'a');
  const file = await SpooledFile.spool('csv', chunked(chunk, 1 << 16));
  const reading = file.read();
  const { value: first } = await reading.next();
  const closing = file.close();
  const other = await SpooledFile.spool('csv', chunked(Buffer.alloc(1 << 20, 'b'), 1 << 16));
  const rest = await all(reading);
  expect(Buffer.concat([first ?? Buffer.alloc(0), ...rest]).equals(chunk)).toBe(true);
  await closing;
  await expect(file.read().next()).rejects.toThrow('was closed');
  await other.close();
});

test('a spooled file is read as often as somebody asks, knows its hash, and has no name', async () => {
  const file = await SpooledFile.spool('csv', chunked(Buffer.from('abc'), 1));
  for (let round = 0; round < 2; round++) expect(Buffer.concat(await all(file.read())).toString()).toBe('abc');
  expect(file.sha256).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  await file.close();
});
