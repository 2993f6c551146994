import { connect, createServer } from 'node:net';
import { HelpfulError } from './message.ts';

/** Where each program of `npm start` listens unless the setting of that name says otherwise. */
export const DEFAULT_PORTS = {
  API_PORT: 3000,
  TEMPORAL_PORT: 7233,
  TEMPORAL_UI_PORT: 8233,
  SIMULATORS_PORT: 4010,
  EASYPAY_FACE_PORT: 4011,
  PAYPAL_FACE_PORT: 4012,
  SMTP_FACE_PORT: 4013,
  SMS_FACE_PORT: 4014,
  INBOX_FACE_PORT: 4015,
  METRICS_PORT: 9464,
  POSTGRES_PORT: 5433,
  CODEC_PORT: 8234,
} as const;

/** The name of a port's environment variable. */
export type PortSetting = keyof typeof DEFAULT_PORTS;

const HOST = '127.0.0.1';

/** The ports that this start needs: a Temporal server that runs elsewhere has its own. */
export function portsToListenOn(settings: {
  ports: Record<PortSetting, number>;
  temporalAddress: string | null;
}): Partial<Record<PortSetting, number>> {
  if (settings.temporalAddress === null) return settings.ports;
  return Object.fromEntries(Object.entries(settings.ports).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/** Throws one `HelpfulError` that names every port of the list that another program holds. */
export async function requireFreePorts(ports: Partial<Record<PortSetting, number>>): Promise<void> {
  const checked = await Promise.all(
    Object.entries(ports).map(async ([setting, port]) => ({ setting, port, taken: await isPortTaken(port) })),
  );
  const taken = checked.filter((each) => each.taken);
  const [first] = taken;
  if (first === undefined) return;
  const list = taken.map(({ setting, port }) => `  port ${port} (setting ${setting})`).join('\n');
  throw new HelpfulError(
    `Another program uses ${taken.length === 1 ? 'this port' : 'these ports'} of ${HOST}:\n${list}\n` +
      `Stop that program, or choose another port, such as: ${first.setting}=${first.port + 1000} npm start`,
  );
}

/** True when a program listens on this port of 127.0.0.1, or nobody may. */
async function isPortTaken(port: number): Promise<boolean> {
  // Both questions, because some systems let a second program bind 127.0.0.1 beside one that holds all addresses.
  return (await somebodyAnswers(port)) || !(await canListen(port));
}

function somebodyAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port, timeout: 1000 });
    const answer = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
