import type { AddressInfo } from 'node:net';
import type { Payload, PayloadCodec } from '@temporalio/common';
import express from 'express';
import { z } from 'zod';
import { createCodec } from '../runtime/codec.ts';
import { createLogger } from '../runtime/logger.ts';
import { dieOnUncaught, runProcess } from '../runtime/process.ts';
import { requireSafe } from '../runtime/production.ts';
import { codecServerSettings, readSettings } from '../runtime/settings.ts';

/**
 * The endpoint that Temporal's Web UI and CLI ask to show encrypted payloads. Whoever reaches it can read payments, so it
 * listens on loopback unless told otherwise and answers only the Web UIs that it knows.
 * Protocol: https://docs.temporal.io/production-deployment/data-encryption
 */
runProcess(async () => {
  const settings = readSettings(codecServerSettings);
  requireSafe(settings);
  const logger = createLogger('codec', settings.LOG_LEVEL);
  dieOnUncaught(logger);
  const app = createCodecApp(createCodec(settings.PAYLOAD_CODEC_KEYS), new Set(settings.CODEC_CORS_ORIGIN));
  const server = app.listen(settings.CODEC_PORT, settings.CODEC_HOST, (err) => {
    if (err) throw err;
    logger.info({ port: (server.address() as AddressInfo).port }, 'codec ready');
  });
  return async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
});

/** Payloads as protobuf's JSON writes them: bytes are base64. */
const payloadsSchema = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), z.base64()).default({}), data: z.base64().default('') })),
});

type JsonPayload = z.infer<typeof payloadsSchema>['payloads'][number];

function createCodecApp(codec: PayloadCodec, origins: ReadonlySet<string>): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/health', (_request, response) => void response.json({ status: 'ok' }));
  app.use((request, response, next) => {
    const { origin } = request.headers;
    if (origin !== undefined && origins.has(origin)) {
      response.set({
        'access-control-allow-origin': origin,
        'access-control-allow-headers': 'content-type,x-namespace,authorization',
        'access-control-allow-methods': 'POST,OPTIONS',
        vary: 'Origin',
      });
    }
    if (request.method === 'OPTIONS') response.status(204).end();
    else next();
  });
  app.use(express.json({ limit: '16mb', type: () => true }));
  for (const way of ['encode', 'decode'] as const) {
    app.post(`/${way}`, async (request, response) => {
      const { payloads } = payloadsSchema.parse(request.body);
      response.json({ payloads: (await codec[way](payloads.map(fromJson))).map(toJson) });
    });
  }
  const answerError: express.ErrorRequestHandler = (_error, _request, response, _next) => {
    response.status(400).json({ message: 'These payloads cannot be read: is the key that encrypted them configured?' });
  };
  app.use(answerError);
  return app;
}

function fromJson(payload: JsonPayload): Payload {
  const metadata = Object.entries(payload.metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(metadata), data: Buffer.from(payload.data, 'base64') };
}

function toJson(payload: Payload): JsonPayload {
  const metadata = Object.entries(payload.metadata ?? {}).map(
    ([key, value]) => [key, Buffer.from(value).toString('base64')] as const,
  );
  return { metadata: Object.fromEntries(metadata), data: Buffer.from(payload.data ?? []).toString('base64') };
}
