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

/** How long a client waits between two connections. By default it backs off to two minutes, which outlasts the outage. */
const reconnecting = { 'grpc.initial_reconnect_backoff_ms': 500, 'grpc.max_reconnect_backoff_ms': 1_000 };

/** A client that connects when it is first used, so that a process starts, and answers, while Temporal is down. */
export function openTemporalClient(keys: CodecKeys): Client {
  const { connectionOptions, namespace } = temporalConfig();
  const connection = Connection.lazy({ ...connectionOptions, connectTimeout: '2 seconds', channelArgs: reconnecting });
  return new Client({ connection, namespace, dataConverter: createDataConverter(keys) });
}
