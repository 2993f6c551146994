import { setCurrentDetails } from '@temporalio/workflow';
import { code } from './board-text.ts';
import type { SubscriptionProcess } from './subscription-process.ts';

/** What operators read at the top of the workflow's page: replaced at every step, in Markdown, without personal data. */
export function showStep(subscription: SubscriptionProcess, doing: string): void {
  subscription.doing = doing.replaceAll('_', ' ');
  setCurrentDetails(board(subscription));
}

function board({ row, doing, input }: SubscriptionProcess): string {
  const cycles = row.cyclesTotal === null ? `${row.cyclesBilled}` : `${row.cyclesBilled} of ${row.cyclesTotal}`;
  const lines = [
    `### ${row.price} · **${row.status}**`,
    '',
    '| | |',
    '|---|---|',
    `| now | ${doing} |`,
    `| subscription | ${code(row.externalId)} |`,
    `| merchant | ${code(input.merchantId)}, ${input.isTest ? 'test' : 'live'} mode |`,
    `| customer | ${code(row.customerId)} |`,
    `| next billing date | ${row.nextBillingDate ?? 'none'} |`,
    ...(row.due === null ? [] : [`| due | ${row.due.step.replaceAll('_', ' ')} at ${row.due.at} |`]),
    ...(row.currentPeriod === null ? [] : [`| period | ${row.currentPeriod.start} to ${row.currentPeriod.end} |`]),
    `| periods billed | ${cycles} |`,
    `| last charge | ${row.lastOutcome ?? 'none yet'} |`,
    ...(row.dunning === null ? [] : [`| dunning | ${row.dunning} |`]),
    ...(row.charge === null ? [] : [`| charge on its way | ${code(row.charge.paymentId)} |`]),
    ...(row.refunds.length === 0 ? [] : [`| refunds on their way | ${row.refunds.length} |`]),
    ...(row.clockNow === null ? [] : [`| test clock | ${row.clockNow} |`]),
  ];
  return lines.join('\n');
}
