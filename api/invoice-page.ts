import { createHash } from 'node:crypto';
import type { InvoicePageRow } from '../prisma/invoice-list.ts';
import { dateText } from '../workflows/domain/date-text.ts';
import { formatMoney } from '../workflows/domain/money.ts';
import type { InvoiceStatus } from '../workflows/domain/subscription-status.ts';

const style = `
  :root { color-scheme: light dark; --quiet: light-dark(#56606e, #a3adba); --line: light-dark(#d5dae1, #3b434e); }
  body { margin: 0; background: light-dark(#f3f5f8, #11151a); color: light-dark(#1a2129, #e8ecf1); font: 1rem/1.5 system-ui, sans-serif; }
  main { box-sizing: border-box; max-width: 46rem; margin: 2rem auto; padding: 2.5rem; background: light-dark(#fff, #1a2027); border-radius: .75rem; }
  header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .25rem 2rem; }
  h1 { margin: 0; font-size: 1.75rem; }
  p { margin: .25rem 0; }
  .state { font-weight: 600; }
  .paid { color: light-dark(#146c3a, #6fd69a); }
  .open { color: light-dark(#8a4b00, #f2b866); }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 2rem 0; }
  dt, footer, caption, th { color: var(--quiet); }
  dd { margin: 0; overflow-wrap: anywhere; }
  table { width: 100%; border-collapse: collapse; }
  caption { text-align: left; margin-bottom: .5rem; }
  th, td { padding: .6rem 0 .6rem 1rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
  th { font-weight: 500; }
  th:first-child, td:first-child { padding-left: 0; text-align: left; overflow-wrap: anywhere; }
  td { font-variant-numeric: tabular-nums; }
  td:last-child { white-space: nowrap; }
  td small { display: block; color: var(--quiet); }
  tfoot th, tfoot td { border: 0; color: inherit; font-size: 1.15rem; font-weight: 700; }
  footer { margin-top: 2rem; font-size: .875rem; }
  @media (max-width: 40rem) { main { margin: 0; padding: 1.25rem; border-radius: 0; } }
  @media print { :root { color-scheme: only light; } body { background: none; } main { margin: 0; padding: 0; max-width: none; } tr { break-inside: avoid; } }
`;

/** What a browser may take from anywhere for this page: its own style, and nothing else. */
export const invoicePagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/**
 * An invoice as a page for people: readable without colors, by screen readers and on paper, in light and dark, with neither
 * scripts nor anything from elsewhere. Whatever somebody wrote is escaped.
 */
export function invoicePage(row: InvoicePageRow): string {
  const money = (minor: string) => formatMoney({ amountMinor: BigInt(minor), currency: row.currency });
  const date = (instant: Date) =>
    `<time datetime="${instant.toISOString()}">${dateText(instant, row.time_zone)}</time>`;
  const span = (start: Date, end: Date) => `${date(start)} – ${date(end)}`;
  const facts: readonly (readonly [string, string | null])[] = [
    ['Issued', date(row.issued_at)],
    ['Period', row.reason === 'sign_up' ? null : span(row.period_start, row.period_end)],
    ['Customer', escaped(row.customer_name ?? row.customer_id)],
    ['E-mail', row.customer_email && escaped(row.customer_email)],
    ['Subscription', escaped(row.subscription_id)],
    ['Payment', row.payment_id && escaped(row.payment_id)],
    ['Next try', row.status === 'open' && row.next_attempt_at !== null ? date(row.next_attempt_at) : null],
    ['To be given back', row.refund_due_amount === '0' ? null : money(row.refund_due_amount)],
  ];
  const closed = row.paid_at ?? row.closed_at;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Invoice ${escaped(row.number)}</title>
    <style>${style}</style>
  </head>
  <body>
    <main>
      <header>
        <h1>Invoice ${escaped(row.number)}</h1>
        <p dir="auto">${escaped(row.merchant_name)}</p>
      </header>
      <p class="state ${row.status}">${states[row.status]}${closed === null ? '' : `, ${date(closed)}`}</p>
      <dl>
${facts.flatMap(([name, value]) => (value === null ? [] : [`        <dt>${name}</dt><dd dir="auto">${value}</dd>`])).join('\n')}
      </dl>
      <table>
        <caption>What is charged</caption>
        <thead>
          <tr><th scope="col">Description</th><th scope="col">Quantity</th><th scope="col">Amount</th></tr>
        </thead>
        <tbody>
${row.lines.map((line) => `          ${rowOf(line, money, span)}`).join('\n')}
        </tbody>
        <tfoot>
          <tr><th scope="row" colspan="2">Total</th><td>${money(row.amount)}</td></tr>
        </tfoot>
      </table>
      <footer>
        <p>Dates are those of the time zone ${escaped(row.time_zone)}.</p>${row.is_test ? '\n        <p>This is a test: no money moves.</p>' : ''}
      </footer>
    </main>
  </body>
</html>
`;
}

const states: Readonly<Record<InvoiceStatus, string>> = {
  open: 'To be paid',
  paid: 'Paid',
  uncollectible: 'Not paid, and no longer asked for',
  void: 'Void: nothing is to be paid',
};

function rowOf(
  { description, quantity, amountMinor, period }: InvoicePageRow['lines'][number],
  money: (minor: string) => string,
  span: (start: Date, end: Date) => string,
): string {
  const when = period === null ? '' : `<small>${span(new Date(period.start), new Date(period.end))}</small>`;
  const what = `<bdi>${escaped(description)}</bdi>${when}`;
  return `<tr><td>${what}</td><td>${quantity}</td><td>${money(amountMinor)}</td></tr>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
