import type { Express, Request, Response } from 'express';
import express from 'express';
import type { Face } from '../face/face.ts';
import { serve } from '../face/face.ts';
import type { Operations } from '../face/faults.ts';
import { createApp } from '../http.ts';
import type { Shelf } from '../shelf.ts';

/** What can be asked of the inbox. */
export const inboxOperations: Operations = {
  receive: ['refuse', '429', '410', 'redirect', '500_before', 'reset', 'never', '500_after', 'lost_after', 'slow'],
};

/** A webhook as it came in. `body` is exactly what was received; `status` is null until it is answered. */
export interface Webhook {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  status: number | null;
}

/** What the inbox works with. */
export interface Inbox {
  readonly face: Face;
  readonly webhooks: Shelf<Webhook>;
}

const bodySizeMax = '1mb';

/** A receiver of webhooks as a merchant would run it: `POST` to any path is stored and answered with 204. */
export function createInboxFace(inbox: Inbox): Express {
  return createApp(inbox.face, (app) => {
    app.use(express.raw({ type: () => true, inflate: false, limit: bodySizeMax }));
    app.post('/{*path}', (request, response) => receive(inbox, request, response));
  });
}

async function receive({ face, webhooks }: Inbox, request: Request, response: Response): Promise<void> {
  const webhook: Webhook = {
    path: request.path,
    headers: headersOf(request),
    body: Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '',
    status: null,
  };
  response.once('finish', () => (webhook.status = response.statusCode));
  const key = request.get('webhook-id') ?? null;
  await serve(
    face,
    { operation: 'receive', reference: request.path, key, response },
    {
      kind: 'work',
      commit: async () => {
        webhooks.put(webhook);
        return { status: 204 };
      },
    },
  );
}

function headersOf({ headers }: Request): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
