import { randomUUID } from 'node:crypto';
import express from 'express';
import { z } from 'zod';
import { createLogger } from '../runtime/logger.ts';
import { runProcess } from '../runtime/process.ts';
import { commonSettings, readSettings } from '../runtime/settings.ts';
import { openTemporalClient } from '../runtime/temporal.ts';
import { floorTaskQueue, floorWorkflowType } from './floor-contract.ts';

const body = z.object({ amount: z.string(), currency: z.string(), payment_method: z.string(), card_token: z.string() });

/** The way of a payment over HTTP with everything taken out but the engine: JSON in, an empty workflow, JSON out. */
runProcess(async () => {
  const settings = readSettings({ ...commonSettings, FLOOR_PORT: z.coerce.number() });
  const logger = createLogger('floor-api', settings.LOG_LEVEL);
  const client = openTemporalClient(settings.PAYLOAD_CODEC_KEYS);
  const app = express().use(express.json());
  app.get('/health/ready', (_request, response) => void response.json({ status: 'ok' }));
  app.post('/api/v1/payments', async (request, response) => {
    const given = body.parse(request.body);
    await client.workflow.execute(floorWorkflowType, { workflowId: randomUUID(), taskQueue: floorTaskQueue, args: [] });
    response.status(201).json({ data: given });
    logger.info({ status: 201 }, 'served');
  });
  const server = app.listen(settings.FLOOR_PORT, '127.0.0.1');
  return async () => {
    await new Promise((resolve) => server.close(resolve));
    await client.connection.close();
  };
});
