import type { DevFile } from './state.ts';

/** What the person who started it reads when everything is ready. */
export function welcome(dev: DevFile, elapsedMs: number): string {
  const payment = { amount: '25.99', currency: 'USD', payment_method: 'credit_card', card_token: 'tok_visa_4242' };
  return `
  Ready after ${(elapsedMs / 1000).toFixed(1)} s.

  API              ${dev.api}/api/v1
  API docs         ${dev.docs}
  OpenAPI          ${dev.api}/openapi.json
  Temporal Web UI  ${dev.temporal_ui ?? `of the server at ${dev.temporal_address}`}
  Simulators       ${dev.simulators}
  Demo API key     ${dev.api_key}

  A first payment:

  curl -sS ${dev.api}/api/v1/payments \\
    -H 'Authorization: Bearer ${dev.api_key}' \\
    -H 'Content-Type: application/json' \\
    -H "Idempotency-Key: first-$(date +%s)" \\
    -d '${JSON.stringify(payment)}'

  Ctrl-C stops everything; the data stays. \`npm run reset\` deletes it.
`;
}
