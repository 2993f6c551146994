import { proxyActivities } from '@temporalio/workflow';
import { sweep } from './policies.ts';
import type { SweepPorts } from './ports.ts';

/** Rows younger than this are left alone: their workflow may just be starting. */
const ageMinSeconds = 20;

/** One pass over the open payments, started by a schedule: none may stay without a workflow. */
export async function sweepWorkflow(): Promise<{ checked: number; resumed: number }> {
  const { resumePayments } = proxyActivities<SweepPorts>({ ...sweep, summary: 'resume payments without a workflow' });
  return resumePayments({ ageMinSeconds });
}
