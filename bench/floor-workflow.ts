/** The least that a workflow can be: the engine's own price, which no payment can go below. */
export async function emptyWorkflow(): Promise<void> {}
