import { patched, proxyActivities } from '@temporalio/workflow';
import { sweep } from './policies.ts';
import type { SweepPorts, SweepTally } from './ports.ts';
import type { TestClockSweepPorts } from './test-clock-ports.ts';

/** Rows younger than this are left alone: their workflow may just be starting. */
const ageMinSeconds = 20;

/** A subscription whose workflow is there does what is due within moments. */
const overdueMinSeconds = 60;

/** One pass over what is open, started by a schedule: nothing may stay without a workflow, no event without a reader. */
export async function sweepWorkflow(): Promise<SweepTally> {
  const ports = (summary: string) => proxyActivities<SweepPorts & TestClockSweepPorts>({ ...sweep, summary });
  const payments = ports('resume payments without a workflow').resumePayments({ ageMinSeconds });
  // A pass of an earlier version, which may still be under way, does only this.
  const others = patched('refunds-and-events')
    ? [
        ports('resume refunds without a workflow').resumeRefunds({ ageMinSeconds }),
        ports('hand over providers’ events').resumeProviderEvents({ ageMinSeconds }),
      ]
    : [];
  if (patched('subscriptions')) {
    others.push(
      ports('resume subscriptions that are overdue').resumeSubscriptions({ ageMinSeconds: overdueMinSeconds }),
      ports('resume test clocks without a workflow').resumeTestClocks({ ageMinSeconds }),
      ports('resume batches without a workflow').resumeBatches({ ageMinSeconds }),
    );
  }
  const passes = await Promise.all([payments, ...others]);
  const sum = (count: keyof SweepTally) => passes.reduce((total, pass) => total + pass[count], 0);
  return { checked: sum('checked'), resumed: sum('resumed') };
}
