/** What the floor's two processes agree on. */
export const floorTaskQueue = 'bench-floor';
export const floorWorkflowType = 'emptyWorkflow';
