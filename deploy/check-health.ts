/** A container's health: `node deploy/check-health.ts <address>` ends well if the address answers 2xx within 4 seconds. */
const [, , address = ''] = process.argv;
const answer = await fetch(address, { signal: AbortSignal.timeout(4_000) }).catch(() => null);
process.exit(answer?.ok ? 0 : 1);
