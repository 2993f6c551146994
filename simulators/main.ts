import { readSettings } from './settings.ts';
import type { Simulators } from './simulators.ts';
import { startSimulators } from './simulators.ts';

function fail(error: unknown): never {
  const cause = error instanceof Error && error.cause instanceof Error ? `\n  cause: ${error.cause.message}` : '';
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}${cause}\n`);
  process.exit(1);
}

let simulators: Simulators | undefined;

function stop(): void {
  // While they start, nothing is under way that could be lost.
  if (simulators === undefined) process.exit(0);
  simulators.stop().then(() => process.exit(0), fail);
}

try {
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // A bank that cannot write its book must not go on answering: the next start reads what is really there.
  simulators = await startSimulators({ ...readSettings(process.env), onFailure: () => process.exit(1) });
  const { controlUrl: control, easypayUrl: easypay, paypalUrl: paypal } = simulators;
  const { smtpUrl: smtp, smsUrl: sms, inboxUrl: inbox } = simulators;
  process.stdout.write(`${JSON.stringify({ ready: true, control, easypay, paypal, smtp, sms, inbox })}\n`);
} catch (error) {
  fail(error);
}
