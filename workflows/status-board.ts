import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { code } from './board-text.ts';
import { formatMinor } from './domain/money.ts';
import { isFinal } from './domain/payment-status.ts';
import type { PaymentProcess } from './payment-process.ts';

/** What operators read at the top of the workflow's page: replaced at every step, in Markdown, without personal data. */
export function showStep(payment: PaymentProcess): void {
  setCurrentDetails(board(payment));
  if (payment.status === 'unresolved') tag(payment, true);
}

/** The last state of the board, and the attributes that finished payments are searched by. */
export function showEnd(payment: PaymentProcess): void {
  payment.doing = 'done';
  setCurrentDetails(board(payment));
  tag(payment, false);
}

function board(payment: PaymentProcess): string {
  const { row } = payment;
  const lines = [
    `### ${formatMinor(BigInt(row.amountMinor), row.currency)} ${row.currency} · **${row.status}**`,
    '',
    `| | |`,
    `|---|---|`,
    `| now | ${payment.doing} |`,
    `| order | ${code(row.externalId)} |`,
    `| merchant | ${code(row.merchantId)}, ${row.isTest ? 'test' : 'live'} mode |`,
    `| provider | ${row.processor ?? 'none yet'} |`,
    `| route | ${row.route.candidates.join(', then ') || 'nobody'} (${code(row.route.reason)}) |`,
    ...row.attempts.map(({ number, provider, state }) => `| attempt ${number} | ${provider}: ${state} |`),
    ...(row.failure === null ? [] : [`| failure | ${code(row.failure.code)} ${row.failure.message} |`]),
    ...(row.captureMethod === 'manual' ? [amountsLine(payment)] : []),
    ...(row.captureBefore === null || payment.isSettled ? [] : [`| capture before | ${row.captureBefore} |`]),
    ...(row.status === 'requires_action' ? [`| payer acts until | ${row.actionExpiresAt} |`] : []),
    ...(row.retryAt === null ? [] : [`| next round | ${row.retryAt}, after ${row.retriesMade} |`]),
    ...(row.status === 'pending' ? [`| expires | ${row.expiresAt} |`] : []),
    ...(row.delayedAt === null ? [] : [`| delayed | said so at ${row.delayedAt} |`]),
    ...(!isFinal(row.status) && payment.doubtful !== null ? ['| in doubt | the charge may have happened |'] : []),
  ];
  return lines.join('\n');
}

function amountsLine({ row }: PaymentProcess): string {
  const shown = (minor: string) => formatMinor(BigInt(minor), row.currency);
  const { authorizedMinor, capturedMinor, voidedMinor } = row;
  return `| amounts | authorized ${shown(authorizedMinor)}, captured ${shown(capturedMinor)}, voided ${shown(voidedMinor)} |`;
}

function tag(payment: PaymentProcess, needsReview: boolean): void {
  const { row } = payment;
  upsertSearchAttributes([
    { key: { name: 'PaymentStatus', type: 'KEYWORD' }, value: row.status },
    { key: { name: 'NeedsReview', type: 'BOOL' }, value: needsReview },
    ...(row.processor === null
      ? []
      : [{ key: { name: 'Provider' as const, type: 'KEYWORD' as const }, value: row.processor }]),
  ]);
}
