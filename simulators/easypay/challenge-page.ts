import { createHash } from 'node:crypto';
import { amountText } from './amount-text.ts';
import type { Charge } from './charge.ts';

/** A page for a payer's browser. */
export interface Page {
  readonly status: number;
  readonly html: string;
}

// Colors keep a contrast of at least 4.5 to 1 in both schemes.
const style = `
:root { color-scheme: light dark; --ink: #1a1f29; --soft: #4a5263; --paper: #f4f5f8; --card: #ffffff; --line: #b9bfcc;
  --act: #1f4fd8; --on-act: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef0f5; --soft: #b4bccb; --paper: #12151b; --card: #1c212b;
  --line: #566076; --act: #8fb0ff; --on-act: #10131a; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; }
p { margin: 0 0 1rem; }
dl { margin: 0 0 1.5rem; display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.amount { font-weight: 700; }
form { display: flex; flex-wrap: wrap; gap: .75rem; }
button { flex: 1 1 9rem; min-height: 3rem; padding: .5rem 1rem; font: inherit; font-weight: 600; border-radius: .5rem;
  border: 2px solid var(--act); background: transparent; color: var(--ink); cursor: pointer; }
button.main { background: var(--act); color: var(--on-act); }
a { color: var(--act); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 3px; }
`;

/** What the pages may load and do: their own style, and no script. Forms are not limited, because browsers would hold
 * the way back to the merchant against it. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Asks the payer whether the charge is theirs. */
export function questionPage(charge: Charge): Page {
  const body = `<h1>Confirm this payment</h1>
<p>Your card ending in ${escaped(charge.card.last_four)} is used for an online payment.</p>
<dl>
<dt>Amount</dt><dd class="amount">${escaped(amountText(BigInt(charge.amount_minor), charge.currency))}</dd>
<dt>Reference</dt><dd>${escaped(charge.reference)}</dd>
</dl>
<form method="post">
<button class="main" name="outcome" value="approve">Approve</button>
<button name="outcome" value="decline">Decline</button>
</form>`;
  return page(200, 'Confirm this payment', body);
}

/** Says what the payer did, where no merchant's page follows. */
export function closingPage(outcome: 'approve' | 'decline'): Page {
  const title = outcome === 'approve' ? 'Payment approved' : 'Payment declined';
  return page(200, title, `<h1>${title}</h1>\n<p>You may close this page.</p>`);
}

/** Says that the charge waits for nobody any more. */
export function overPage(returnUrl: string | undefined): Page {
  const way =
    returnUrl === undefined ? 'You may close this page.' : `<a href="${escaped(returnUrl)}">Back to the shop</a>`;
  return page(410, 'This page is over', `<h1>This page is over</h1>\n<p>The payment was decided.</p>\n<p>${way}</p>`);
}

/** Says that there is no such charge. */
export const unknownPage: Page = page(
  404,
  'Page not found',
  '<h1>Page not found</h1>\n<p>No payment waits here. Open the link from the shop again.</p>',
);

/** Says that the form was sent without a choice. */
export const unclearPage: Page = page(
  400,
  'Please choose',
  '<h1>Please choose</h1>\n<p>Go back, and press Approve or Decline.</p>',
);

function page(status: number, title: string, body: string): Page {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – EasyPay</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
  return { status, html };
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
