import { proxyActivities } from '@temporalio/workflow';
import { cleanup } from './policies.ts';
import type { CleanupPorts, CleanupTally } from './ports.ts';

/** Removes sessions, tokens and the like that have expired, started by a schedule. */
export async function cleanupWorkflow(): Promise<CleanupTally> {
  const { cleanUp } = proxyActivities<CleanupPorts>({ ...cleanup, summary: 'remove what has expired' });
  return cleanUp();
}
