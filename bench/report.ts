import { driver, strangers } from './cpu.ts';
import { aimsOf, disturbances, type Results, ratiosOf } from './findings.ts';
import { type Chapter, chapters } from './options.ts';
import type { Round, Row } from './rounds.ts';

/** The results as Markdown, for people who read them at once. */
export function report(results: Results): string {
  const texts = chapters.map((chapter) => chapterText(chapter, results, '')).filter((text) => text !== null);
  return [preface(results), ...texts].join('\n\n');
}

const start = '<!-- measured: written by `npm run bench -- --write-docs` -->';
const end = '<!-- /measured -->';

/** The page with these chapters in their place; the others stay. Throws when the page has no place for any. */
export function withReport(page: string, texts: Readonly<Partial<Record<Chapter, string>>>): string {
  const [before, after] = [page.indexOf(start), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`the page needs a place for the report: "${start}" and "${end}"`);
  const known = chaptersIn(page.slice(before + start.length, after));
  const shown = chapters.flatMap((chapter) => {
    const text = texts[chapter] ?? known.get(chapter);
    return text === undefined ? [] : `${headOf(chapter)}\n\n${text}`;
  });
  return [page.slice(0, before + start.length), ...shown, page.slice(after)].join('\n\n');
}

/** These chapters for the page, each with the machine that its own run was on. */
export function chapterTexts(results: Results, wanted: readonly Chapter[]): Partial<Record<Chapter, string>> {
  const texts = wanted.map((chapter) => {
    const own = { ...results, rows: rowsOf(chapter, results.rows) };
    return [chapter, chapterText(chapter, own, `${preface(own)}\n\n`)];
  });
  return Object.fromEntries(texts);
}

function headOf(chapter: Chapter): string {
  return `<!-- ${chapter} -->`;
}

function chaptersIn(place: string): Map<string, string> {
  const [, ...parts] = place.split(/^<!-- (\w+) -->$/m);
  const found = new Map<string, string>();
  for (let index = 0; index + 1 < parts.length; index += 2)
    found.set(parts[index] ?? '', (parts[index + 1] ?? '').trim());
  return found;
}

const titles: Readonly<Record<Chapter, string>> = {
  payments: 'Payments',
  movements: 'Captures, voids and refunds',
  batches: 'Batches, and payments beside them',
  access: 'Knowing who calls',
  stored: 'Much stored',
  against: 'Against another version',
};

function rowsOf(chapter: Chapter, rows: readonly Row[]): Row[] {
  return rows.filter(({ part }) => (part === 'reads' || part === 'growth' ? 'stored' : part) === chapter);
}

/** Null where nothing of it was measured. */
function chapterText(chapter: Chapter, results: Results, lead: string): string | null {
  const rows = rowsOf(chapter, results.rows);
  if (rows.length === 0) return null;
  const sections = sectionsOf(chapter, rows);
  const aims = section('Aims', aimsOf(rows), aimTable(rows));
  return `### ${titles[chapter]}\n\n${lead}${[...sections, aims].filter((text) => text !== '').join('\n\n')}`;
}

function sectionsOf(chapter: Chapter, rows: readonly Row[]): string[] {
  if (chapter === 'stored') return storedSections(rows);
  if (chapter === 'batches') return [batchTable(rows), section('Processor time', rows, cpuTable(rows))];
  if (chapter === 'access') return [readTable(rows), section('Processor time', rows, cpuTable(rows))];
  return pathSections(chapter, rows);
}

function pathSections(chapter: Exclude<Chapter, 'stored' | 'batches' | 'access'>, rows: readonly Row[]): string[] {
  const timing = chapter === 'against' ? againstTable(rows) : paymentTable(rows);
  return [timing, section('Processor time', rows, cpuTable(rows))];
}

function storedSections(rows: readonly Row[]): string[] {
  const [reads, growth] = [rows.filter(({ part }) => part === 'reads'), rows.filter(({ part }) => part === 'growth')];
  return [
    section(`Reads, with ${count(reads[0]?.stored ?? 0)} payments stored`, reads, readTable(reads)),
    section('Processor time of reads', reads, cpuTable(reads)),
    section('Growth', growth, growthTable(growth)),
  ];
}

function section(title: string, content: readonly unknown[], text: string): string {
  return content.length === 0 ? '' : `#### ${title}\n\n${text}`;
}

function preface(results: Results): string {
  const { machine, minutes, isQuick } = results;
  const { cpu, cores, memoryGib, kernel, node, postgres, temporal, loadBefore } = machine;
  const disturbed = disturbances(results);
  const lines = [
    `Measured on ${machine.startedAt.slice(0, 10)} in ${minutes.toFixed(0)} minutes: ${cores} cores of ${cpu}, ` +
      `${memoryGib} GiB, ${kernel}, Node ${node}, Postgres ${postgres}, Temporal ${temporal}; load before it began: ` +
      `${loadBefore.toFixed(2)}.`,
  ];
  if (isQuick) lines.push('> **A smoke: its rounds are too short for its figures to mean anything.**');
  if (disturbed.length > 0) lines.push(`> **The machine was not quiet:** ${disturbed.join('; ')}.`);
  return lines.join('\n\n');
}

function paymentTable(rows: readonly Row[]): string {
  return table(
    [
      'clients',
      'kind',
      'rate /s (worst)',
      'p50 ms',
      'p95 ms (worst)',
      'p99 ms',
      'drain ms',
      'rate ÷ floor',
      'p50 ÷ floor',
    ],
    rows.map((row) => {
      const { rateToFloor, p50ToFloor } = ratiosOf(row, rows);
      const drain = row.median.drainMs.toFixed(0);
      return [String(row.clients), row.kind, ...timings(row), drain, ratio(rateToFloor), ratio(p50ToFloor)];
    }),
  );
}

/** A batch has no waiting clients, so no times of single requests. */
function batchTable(rows: readonly Row[]): string {
  return table(
    ['clients', 'kind', 'rate /s (worst)', 'p50 ms', 'p95 ms (worst)', 'p99 ms', 'batch rows /s', 'rate ÷ floor'],
    rows.map((row) => {
      const figures = row.kind === 'batch' ? [timings(row)[0] ?? '', '', '', ''] : timings(row);
      const isBatch = row.kind === 'batch' || row.kind === 'floor';
      const rate = isBatch ? ratio(ratiosOf({ ...row, clients: 24 }, rows).rateToFloor) : '';
      return [
        row.clients === 0 ? '' : String(row.clients),
        row.kind,
        ...figures,
        row.median.batchRate?.toFixed(1) ?? '',
        rate,
      ];
    }),
  );
}

function readTable(rows: readonly Row[]): string {
  const header = ['clients', 'kind', 'rate /s (worst)', 'p50 ms', 'p95 ms (worst)', 'p99 ms'];
  return table(
    header,
    rows.map((row) => [String(row.clients), row.kind, ...timings(row)]),
  );
}

function growthTable(rows: readonly Row[]): string {
  const header = ['stored', 'kind', 'rate /s (worst)', 'p50 ms', 'p95 ms (worst)', 'p99 ms', 'rate ÷ smallest'];
  return table(
    header,
    rows.map((row) => [count(row.stored), row.kind, ...timings(row), ratio(ratiosOf(row, rows).rateToSmallest)]),
  );
}

function againstTable(rows: readonly Row[]): string {
  const header = ['clients', 'kind', 'rate /s (worst)', 'p50 ms', 'p95 ms (worst)', 'p99 ms', 'rate ÷ the other’s'];
  return table(
    header,
    rows.map((row) => [String(row.clients), row.kind, ...timings(row), ratio(ratiosOf(row, rows).rateToOther)]),
  );
}

function timings({ median, worst, rounds }: Row): string[] {
  const worstP95Ms = Math.max(...rounds.map(({ p95Ms }) => p95Ms));
  return [
    `${median.rate.toFixed(1)} (${worst.rate.toFixed(1)})`,
    median.p50Ms.toFixed(1),
    `${median.p95Ms.toFixed(1)} (${worstP95Ms.toFixed(1)})`,
    median.p99Ms.toFixed(1),
  ];
}

const processes = ['api', 'worker', 'temporal', 'postgres', 'simulators', driver, strangers];

function cpuTable(rows: readonly Row[]): string {
  if (rows.some(({ median }) => median.cpu === null)) return 'Cannot be read on this system: it has no `/proc`.';
  return table(
    ['clients', 'kind', ...processes],
    rows.map(({ clients, kind, median }) => [String(clients), kind, ...processes.map((name) => cpuCell(median, name))]),
  );
}

/** Milliseconds per request, and how much of one core that was. */
function cpuCell({ cpu }: Round, name: string): string {
  const share = cpu?.find((each) => each.name === name);
  if (share === undefined) return '';
  return `${share.msPerRequest.toFixed(1)} ms, ${(share.cores * 100).toFixed(0)} %`;
}

function aimTable(rows: readonly Row[]): string {
  return table(
    ['aim', 'measured', 'result'],
    aimsOf(rows).map(({ aim, measured, isMet }) => [aim, measured, isMet ? 'met' : '**not met**']),
  );
}

function ratio(value: number | null): string {
  return value === null ? '' : value.toFixed(2);
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
