import type { Express, Request } from 'express';
import express from 'express';
import { z } from 'zod';
import type { Book } from './bank/book.ts';
import type { Events } from './face/events.ts';
import { eventModes } from './face/events.ts';
import type { Faults } from './face/faults.ts';
import { faultPlanSchema } from './face/faults.ts';
import type { Parking } from './face/parking.ts';
import { parkSchema } from './face/parking.ts';
import { createApp, HttpError, parseRequest, plainWording, sendJson } from './http.ts';
import type { Webhook } from './inbox/face.ts';
import type { Listener } from './listener.ts';
import type { Mail } from './mailbox/mail.ts';
import type { Shelf } from './shelf.ts';
import type { Sms } from './sms/face.ts';

/** What the control routes steer of one face. */
export interface ControlledFace {
  readonly faults: Faults;
  readonly parking: Parking;
  readonly listener: Listener;
  /** What it tells receivers of its own accord, if it ever does. */
  readonly events?: Events;
}

/** What the control routes show and steer. */
export interface Control {
  readonly book: Book;
  readonly faces: ReadonlyMap<string, ControlledFace>;
  readonly mails: Shelf<Mail>;
  readonly messages: Shelf<Sms>;
  readonly webhooks: Shelf<Webhook>;
  readonly warn: (message: string) => void;
}

const after = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,14})$/, 'must be a sequence number: 0 or more')
  .default('0')
  .transform(Number);
const movementsQuerySchema = z.strictObject({ after, reference: z.string().min(1).optional() });
const mailsQuerySchema = z.strictObject({ after, to: z.string().min(1).optional() });
const messagesQuerySchema = z.strictObject({ after });
const webhooksQuerySchema = z.strictObject({ after, path: z.string().min(1).optional() });
const eventsQuerySchema = z.strictObject({ after });
const eventsBodySchema = z.strictObject({ mode: z.enum(eventModes) });
const parkQuerySchema = z.strictObject({ reference: z.string().min(1).optional() });

/** The routes for tests: the bank's book and what came in to read, faults and parking to steer. They stay up whatever
 * the faults. */
export function createControl(control: Control): Express {
  return createApp({ wording: plainWording, warn: control.warn }, (app) => {
    app.use(express.json({ limit: '256kb' }));
    app.get('/health', (_request, response) => sendJson(response, 200, { status: 'ok' }));
    addBankRoutes(app, control.book);
    addFaultRoutes(app, control.faces);
    addParkingRoutes(app, control.faces);
    addEventRoutes(app, control.faces);
    addShelfRoutes(app, control);
  });
}

function addBankRoutes(app: Express, book: Book): void {
  app.get('/bank/accounts', (_request, response) => sendJson(response, 200, { accounts: book.accounts() }));
  app.get('/bank/movements', (request, response) => {
    const query = parseRequest(movementsQuerySchema, request.query);
    sendJson(response, 200, { movements: book.movementsAfter(query.after, query.reference) });
  });
}

function addFaultRoutes(app: Express, faces: Control['faces']): void {
  app.get('/faults/:face', (request, response) => sendJson(response, 200, faceOf(faces, request).faults.report()));
  app.put('/faults/:face', async (request, response) => {
    const face = faceOf(faces, request);
    face.faults.replace(parseRequest(faultPlanSchema, request.body));
    await applyToPort(face);
    sendJson(response, 200, face.faults.report());
  });
  app.delete('/faults/:face', async (request, response) => {
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
  app.get('/park/:face', (request, response) => sendJson(response, 200, faceOf(faces, request).parking.report()));
  app.put('/park/:face', (request, response) => {
    const { parking } = faceOf(faces, request);
    parking.add(parseRequest(parkSchema, request.body));
    sendJson(response, 200, parking.report());
  });
  app.delete('/park/:face', (request, response) => {
    const { parking } = faceOf(faces, request);
    parking.release(parseRequest(parkQuerySchema, request.query).reference);
    sendJson(response, 200, parking.report());
  });
}

function addEventRoutes(app: Express, faces: Control['faces']): void {
  app.get('/events/:face', (request, response) => {
    const { after: seq } = parseRequest(eventsQuerySchema, request.query);
    sendJson(response, 200, eventsOf(faces, request).report(seq));
  });
  app.put('/events/:face', (request, response) => {
    const events = eventsOf(faces, request);
    events.mode = parseRequest(eventsBodySchema, request.body).mode;
    sendJson(response, 200, { mode: events.mode });
  });
}

function addShelfRoutes(app: Express, { mails, messages, webhooks }: Control): void {
  app.get('/mailbox', (request, response) => {
    const { after: seq, to } = parseRequest(mailsQuerySchema, request.query);
    const meant = mails.after(seq).filter((mail) => to === undefined || mail.to.includes(to));
    sendJson(response, 200, { mails: meant, dropped: mails.dropped });
  });
  app.get('/sms', (request, response) => {
    const { after: seq } = parseRequest(messagesQuerySchema, request.query);
    sendJson(response, 200, { messages: messages.after(seq), dropped: messages.dropped });
  });
  app.get('/inbox', (request, response) => {
    const { after: seq, path } = parseRequest(webhooksQuerySchema, request.query);
    const meant = webhooks.after(seq).filter((webhook) => path === undefined || webhook.path === path);
    sendJson(response, 200, { webhooks: meant, dropped: webhooks.dropped });
  });
  for (const [path, shelf] of Object.entries({ '/mailbox': mails, '/sms': messages, '/inbox': webhooks })) {
    app.delete(path, (_request, response) => {
      shelf.clear();
      response.writeHead(204).end();
    });
  }
}

function eventsOf(faces: Control['faces'], request: Request): Events {
  const { events } = faceOf(faces, request);
  if (events !== undefined) return events;
  throw new HttpError(404, 'no_events', `The face "${String(request.params.face)}" sends no events`);
}

function faceOf(faces: Control['faces'], request: Request): ControlledFace {
  const name = String(request.params.face);
  const face = faces.get(name);
  if (face !== undefined) return face;
  throw new HttpError(404, 'unknown_provider', `No face "${name}"; there are: ${[...faces.keys()].join(', ')}`);
}
