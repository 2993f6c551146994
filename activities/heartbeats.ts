import { activityInfo, heartbeat } from '@temporalio/activity';

/** How often a long call says that its process is alive; policies time out after three missed ones. */
const everyMs = 2_000;

/** Heartbeats while `work` runs. Local activities have no heartbeats: their worker's death shows otherwise. */
export async function withHeartbeats<T>(work: () => Promise<T>): Promise<T> {
  if (activityInfo().isLocal) return work();
  heartbeat();
  const beating = setInterval(() => heartbeat(), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(beating);
  }
}
