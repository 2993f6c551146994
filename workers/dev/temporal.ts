import { searchAttributes } from '../../workflows/contract.ts';
import { addresses } from './children.ts';
import type { Fleet } from './fleet.ts';
import type { Say } from './message.ts';
import type { DevSettings } from './settings.ts';
import { dataPaths } from './state.ts';
import { findTemporalProgram, temporalProcess } from './temporal-server.ts';

/** Starts a Temporal server unless one runs elsewhere; answers its address (`host:port`). */
export async function startTemporal(settings: DevSettings, fleet: Fleet, say: Say): Promise<string> {
  const { dataDir, ports } = settings;
  const source = await fleet.prepare((signal) => findTemporalProgram({ dataDir, env: process.env, say, signal }));
  if (source.kind === 'elsewhere') return source.address;
  const spec = await temporalProcess(source.path, {
    ip: '127.0.0.1',
    port: ports.TEMPORAL_PORT,
    uiPort: ports.TEMPORAL_UI_PORT,
    dbFilename: dataPaths(dataDir).temporalDatabase,
    codecEndpoint: addresses(settings).codec,
    searchAttributes,
  });
  await fleet.start(spec);
  return `127.0.0.1:${ports.TEMPORAL_PORT}`;
}
