import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { type CodecKeys, createCodec } from './codec.ts';

/** The module that workers and clients load to encode failures; also bundled into the workflows' sandbox. */
export const failureConverterPath = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));

/** What clients and workers must agree on to read each other. */
export function createDataConverter(keys: CodecKeys): DataConverter {
  return { failureConverterPath, payloadCodecs: [createCodec(keys)] };
}

/** Where Temporal is, by its SDK's own environment configuration (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS, API key). */
export function temporalConfig() {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  return { connectionOptions, namespace: namespace ?? 'default' };
}

/** A client that connects when it is first used, so that a process starts, and answers, while Temporal is down. */
export function openTemporalClient(keys: CodecKeys): Client {
  const { connectionOptions, namespace } = temporalConfig();
  const connection = Connection.lazy({ ...connectionOptions, connectTimeout: '2 seconds' });
  return new Client({ connection, namespace, dataConverter: createDataConverter(keys) });
}
