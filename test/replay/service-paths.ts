import { cleanupWorkflowType, paymentTaskQueue, sweepWorkflowType } from '../../workflows/contract.ts';
import type { FaultRule } from '../support/bank.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { charged, finished, type Path } from './steps.ts';

/** The ways of what serves payments: the sweep, the cleanup and the deliveries. */
export const servicePaths: Readonly<Record<string, Path>> = {
  sweep: async (world) => {
    const workflowId = 'payment-sweep-recorded';
    await world.temporal.workflow.execute(sweepWorkflowType, { workflowId, taskQueue: paymentTaskQueue });
    return workflowId;
  },
  cleanup: async (world) => {
    const workflowId = 'expired-cleanup-recorded';
    await world.temporal.workflow.execute(cleanupWorkflowType, { workflowId, taskQueue: paymentTaskQueue });
    return workflowId;
  },
  dispatch: async (world) => {
    const workflowId = 'dispatch-0';
    await until('it is at work', async () => {
      const { raw } = await world.temporal.workflow.getHandle(workflowId).describe();
      return (raw.pendingActivities?.length ?? 0) > 0;
    });
    return workflowId;
  },
  'delivered-later': async (world) => finished(world, await handedOver(world, [{ ...failing, times: 1 }])),
  'delivery-given-up': async (world) => {
    const id = await handedOver(world, [failing]);
    await world.temporal.workflow.getHandle(id).cancel();
    return finished(world, id);
  },
};

const failing: FaultRule = { operation: '*', probability: 1, fault: '500_before' };

/** A delivery that the dispatcher tried in vain: its workflow's id. */
async function handedOver(world: World, faults: readonly FaultRule[]): Promise<string> {
  await world.bank.at('inbox').inject(faults);
  const merchant = await world.createMerchant();
  const response = await fetch(`${world.apiUrl}/api/v1/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${merchant.testKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: `${world.inboxUrl}/hook`, event_types: ['payment.captured'] }),
  });
  if (response.status !== 201) throw new Error(`no endpoint was made: ${response.status} ${await response.text()}`);
  const paymentId = await charged(world, {}, [], merchant);
  return until('the delivery has a workflow of its own', async () => {
    const { rows } = await world.admin.query<{ id: string }>(
      `SELECT id FROM deliveries WHERE object_id = $1 AND state = 'retrying'`,
      [paymentId],
    );
    return rows[0]?.id;
  });
}
