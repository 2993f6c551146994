import { resolve } from 'node:path';
import { z } from 'zod';
import { HelpfulError } from './message.ts';
import { DEFAULT_PORTS, type PortSetting } from './ports.ts';

/** What `npm start` can be told by the environment. */
export type DevSettings = {
  /** Absolute path of the folder that holds all data of this installation. */
  dataDir: string;
  ports: Record<PortSetting, number>;
  /** `host:port` of a Temporal server that runs elsewhere; null = start one here. */
  temporalAddress: string | null;
  temporalNamespace: string;
  logLevel: string;
};

/** The exit code of a program whose settings are wrong (EX_CONFIG of sysexits.h). */
const EXIT_CODE_SETTINGS = 78;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

function port(byDefault: number) {
  const rule = 'must be a port number from 1 to 65535';
  return z
    .string()
    .regex(/^\d+$/, rule)
    .default(String(byDefault))
    .transform(Number)
    .pipe(z.number().min(1, rule).max(65535, rule));
}

const schema = z
  .object({
    DATA_DIR: z.string().min(1, 'must name a folder').default('.data'),
    LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
    TEMPORAL_ADDRESS: z
      .string()
      .regex(/^[^\s/:]+:\d+$/, 'must look like host:port')
      .optional(),
    TEMPORAL_NAMESPACE: z.string().min(1, 'must name a namespace').default('default'),
    API_PORT: port(DEFAULT_PORTS.API_PORT),
    TEMPORAL_PORT: port(DEFAULT_PORTS.TEMPORAL_PORT),
    TEMPORAL_UI_PORT: port(DEFAULT_PORTS.TEMPORAL_UI_PORT),
    SIMULATORS_PORT: port(DEFAULT_PORTS.SIMULATORS_PORT),
    EASYPAY_FACE_PORT: port(DEFAULT_PORTS.EASYPAY_FACE_PORT),
    PAYPAL_FACE_PORT: port(DEFAULT_PORTS.PAYPAL_FACE_PORT),
    SMTP_FACE_PORT: port(DEFAULT_PORTS.SMTP_FACE_PORT),
    SMS_FACE_PORT: port(DEFAULT_PORTS.SMS_FACE_PORT),
    INBOX_FACE_PORT: port(DEFAULT_PORTS.INBOX_FACE_PORT),
    METRICS_PORT: port(DEFAULT_PORTS.METRICS_PORT),
    POSTGRES_PORT: port(DEFAULT_PORTS.POSTGRES_PORT),
    CODEC_PORT: port(DEFAULT_PORTS.CODEC_PORT),
  })
  .check((context) => {
    const settingByPort = new Map<number, string>();
    for (const setting of portSettings()) {
      const number = context.value[setting];
      const other = settingByPort.get(number);
      if (other === undefined) settingByPort.set(number, setting);
      else {
        const message = `must differ from ${other}, which is ${number} too`;
        context.issues.push({ code: 'custom', path: [setting], message, input: number });
      }
    }
  });

/** Reads the settings of `npm start`; throws one `HelpfulError` that lists everything wrong with them. */
export function readDevSettings(env: NodeJS.ProcessEnv): DevSettings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => {
      const setting = issue.path.join('.');
      const value = given[setting] === undefined ? 'it is not set' : `it is ${JSON.stringify(given[setting])}`;
      return `  ${setting}: ${issue.message} (${value})`;
    });
    throw new HelpfulError(`These settings are wrong; correct or unset them and start again:\n${lines.join('\n')}`, {
      exitCode: EXIT_CODE_SETTINGS,
    });
  }
  const { DATA_DIR, LOG_LEVEL, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...ports } = parsed.data;
  return {
    dataDir: resolve(DATA_DIR),
    ports,
    temporalAddress: TEMPORAL_ADDRESS ?? null,
    temporalNamespace: TEMPORAL_NAMESPACE,
    logLevel: LOG_LEVEL,
  };
}

function portSettings(): PortSetting[] {
  return Object.keys(DEFAULT_PORTS).filter((name): name is PortSetting => name in DEFAULT_PORTS);
}
