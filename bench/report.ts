import { driver, strangers } from './cpu.ts';
import { aimsOf, disturbances, type Results, ratiosOf } from './findings.ts';
import type { Round, Row } from './rounds.ts';

/** The results as Markdown, for people. */
export function report(results: Results): string {
  const { rows } = results;
  const parts = { payments: rows.filter(isOf('payments')), reads: rows.filter(isOf('reads')) };
  const sections = [
    preface(results),
    section('Payments', parts.payments, paymentTable(parts.payments)),
    section('Processor time of payments', parts.payments, cpuTable(parts.payments)),
    section(`Reads, with ${count(parts.reads[0]?.stored ?? 0)} payments stored`, parts.reads, readTable(parts.reads)),
    section('Processor time of reads', parts.reads, cpuTable(parts.reads)),
    section('Growth', rows.filter(isOf('growth')), growthTable(rows.filter(isOf('growth')))),
    section('Aims', aimsOf(rows), aimTable(results)),
  ];
  return sections.filter((text) => text !== '').join('\n\n');
}

const start = '<!-- measured: written by `npm run bench -- --write-docs` -->';
const end = '<!-- /measured -->';

/** The page with the report in its place. Throws when the page has no such place. */
export function withReport(page: string, text: string): string {
  const [before, after] = [page.indexOf(start), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`the page needs a place for the report: "${start}" and "${end}"`);
  return `${page.slice(0, before + start.length)}\n\n${text}\n\n${page.slice(after)}`;
}

function isOf(part: Row['part']): (row: Row) => boolean {
  return (row) => row.part === part;
}

function section(title: string, content: readonly unknown[], text: string): string {
  return content.length === 0 ? '' : `### ${title}\n\n${text}`;
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

function aimTable({ rows }: Results): string {
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
