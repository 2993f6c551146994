import type { Express, Request } from 'express';
import express from 'express';
import { z } from 'zod';
import type { Book } from './bank/book.ts';
import type { Faults } from './faults.ts';
import { faultPlanSchema } from './faults.ts';
import { errorAnswers, HttpError, notFound, parseRequest, sendJson } from './http.ts';
import type { Listener } from './listener.ts';
import type { Parking } from './parking.ts';
import { parkSchema } from './parking.ts';

/** What the control routes steer of one provider. */
export interface ControlledFace {
  readonly faults: Faults;
  readonly parking: Parking;
  readonly listener: Listener;
}

/** What the control routes show and steer. */
export interface Control {
  readonly book: Book;
  readonly faces: ReadonlyMap<string, ControlledFace>;
  readonly warn: (message: string) => void;
}

const movementsQuerySchema = z.strictObject({
  after: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,14})$/, 'must be a sequence number: 0 or more')
    .default('0')
    .transform(Number),
  reference: z.string().min(1).optional(),
});
const parkQuerySchema = z.strictObject({ reference: z.string().min(1).optional() });

/** The routes for tests: the bank's book to read, faults and parking to steer. They stay up whatever the faults. */
export function createControl(control: Control): Express {
  const app = express().disable('x-powered-by').disable('etag');
  app.use(express.json({ limit: '256kb' }));
  app.get('/health', (_request, response) => sendJson(response, 200, { status: 'ok' }));
  addBankRoutes(app, control.book);
  addFaultRoutes(app, control.faces);
  addParkingRoutes(app, control.faces);
  app.use(notFound);
  app.use(errorAnswers(control.warn));
  return app;
}

function addBankRoutes(app: Express, book: Book): void {
  app.get('/bank/accounts', (_request, response) => sendJson(response, 200, { accounts: book.accounts() }));
  app.get('/bank/movements', (request, response) => {
    const { after, reference } = parseRequest(movementsQuerySchema, request.query);
    sendJson(response, 200, { movements: book.movementsAfter(after, reference) });
  });
}

function addFaultRoutes(app: Express, faces: Control['faces']): void {
  app.get('/faults/:provider', (request, response) => sendJson(response, 200, faceOf(faces, request).faults.report()));
  app.put('/faults/:provider', async (request, response) => {
    const face = faceOf(faces, request);
    face.faults.replace(parseRequest(faultPlanSchema, request.body));
    await applyToPort(face);
    sendJson(response, 200, face.faults.report());
  });
  app.delete('/faults/:provider', async (request, response) => {
    const face = faceOf(faces, request);
    face.faults.heal();
    await applyToPort(face);
    sendJson(response, 200, face.faults.report());
  });
}

// The port follows the rules that stand now, also when two requests change them at one moment.
async function applyToPort({ faults, listener }: ControlledFace): Promise<void> {
  if (faults.closesPort) {
    await listener.close();
    faults.portClosed();
  } else {
    await listener.reopen();
  }
}

function addParkingRoutes(app: Express, faces: Control['faces']): void {
  app.get('/park/:provider', (request, response) => sendJson(response, 200, faceOf(faces, request).parking.report()));
  app.put('/park/:provider', (request, response) => {
    const { parking } = faceOf(faces, request);
    parking.add(parseRequest(parkSchema, request.body));
    sendJson(response, 200, parking.report());
  });
  app.delete('/park/:provider', (request, response) => {
    const { parking } = faceOf(faces, request);
    parking.release(parseRequest(parkQuerySchema, request.query).reference);
    sendJson(response, 200, parking.report());
  });
}

function faceOf(faces: Control['faces'], request: Request): ControlledFace {
  const provider = String(request.params.provider);
  const face = faces.get(provider);
  if (face !== undefined) return face;
  throw new HttpError(404, 'unknown_provider', `No provider "${provider}"; there are: ${[...faces.keys()].join(', ')}`);
}
