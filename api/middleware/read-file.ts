import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import { Problem } from '../errors.ts';
import type { Principal } from '../principal.ts';
import { type FileFormat, SpooledFile } from '../spooled-file.ts';
import { principalOf, setBodyHash } from './locals.ts';

/** What a file may hold at most. */
const fileBytesMax = 64 * 1024 * 1024;

/** So long the body of a file may take at most. */
export const fileMaxMs = 600_000;

/** A file may take its time, but not stand still, and not trickle: it holds a place that others wait for. */
const stallMaxMs = 15_000;
const bytesPerSecondMin = 16 * 1024;

/**
 * So many files are received and worked off at a time, by this process and of one caller: each may hold so much of the disk. When
 * half of the places are taken, whoever has one gets no other.
 */
const filesMax = 16;
const filesPerCallerMax = 4;

const formats: Readonly<Record<string, FileFormat>> = {
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
};

const patient = new WeakSet<IncomingMessage>();

/** Whether this request's body may take longer than any other: somebody known sends a file. */
export function mayTakeItsTime(request: IncomingMessage): boolean {
  return patient.has(request);
}

/**
 * Reads a body as a file: CSV or NDJSON in UTF-8, at most 64 MB, uncompressed. It is spooled and hashed, and nothing of it is
 * looked at. The file is gone when the answer is, whatever becomes of both, and when nobody reads it any more.
 */
export function readFile(): RequestHandler {
  const receiving = new Map<string, number>();
  return async (request, response, next) => {
    const format = formatOf(request);
    const length = Number(request.headers['content-length'] ?? 0);
    if (length > fileBytesMax) throw tooLarge(response);
    const caller = nameOf(principalOf(response));
    enter(receiving, caller);
    patient.add(request);
    const file = await SpooledFile.spool(format, bodyOf(request, response)).catch((error: unknown) => {
      leave(receiving, caller);
      throw error;
    });
    const isGone = () => leave(receiving, caller);
    file.gone.then(isGone, isGone);
    if (response.closed) return await file.close();
    response.once('close', () => void file.close());
    request.body = file;
    setBodyHash(response, file.sha256);
    next();
  };
}

function formatOf(request: Request): FileFormat {
  const [type = ''] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(request.headers['content-type'] ?? '')?.[1];
  const format = Object.hasOwn(formats, type.trim()) ? formats[type.trim()] : undefined;
  const isPlain = (request.headers['content-encoding'] ?? 'identity') === 'identity';
  if (format !== undefined && isPlain && (charset === undefined || /^utf-?8$/i.test(charset))) return format;
  throw new Problem('unsupported_media_type', {
    detail: 'Send the file as text/csv or application/x-ndjson, in UTF-8 and uncompressed.',
  });
}

/** The body as it comes; throws where it is too large, stands still, takes too long or is cut off. */
async function* bodyOf(request: Request, response: Response): AsyncGenerator<Buffer> {
  const beganAt = performance.now();
  const chunks: AsyncIterator<Buffer> = request.iterator({ destroyOnReturn: false }); // who is refused gets an answer
  let bytes = 0;
  for (;;) {
    const { value: chunk, done } = await inTime(chunks.next(), response);
    if (done === true) return;
    bytes += chunk.length;
    if (bytes > fileBytesMax) throw tooLarge(response);
    const tookMs = performance.now() - beganAt;
    const isTrickle = tookMs > stallMaxMs && bytes < (tookMs / 1_000) * bytesPerSecondMin;
    if (isTrickle || tookMs > fileMaxMs) throw tooSlow(response);
    yield chunk;
  }
}

async function inTime<T>(next: Promise<T>, response: Response): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stall = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooSlow(response)), stallMaxMs);
  });
  try {
    return await Promise.race([next, stall]);
  } catch (error) {
    next.catch(() => undefined);
    throw error instanceof Problem ? error : new Problem('invalid_json', { detail: 'The body was cut off.' });
  } finally {
    clearTimeout(timer);
  }
}

function tooSlow(response: Response): Problem {
  response.set('Connection', 'close');
  return new Problem('request_timeout', {
    detail: 'A file must arrive within 10 minutes, at 16 KB a second or more, and never stand still for 15 seconds.',
  });
}

/** Nobody reads the rest: the connection cannot be used again. */
function tooLarge(response: Response): Problem {
  response.set('Connection', 'close');
  return new Problem('body_too_large', { detail: `A file may have at most ${fileBytesMax / 1024 / 1024} MB.` });
}

function nameOf(who: Principal): string {
  return who.kind === 'merchant' ? who.merchantId : who.actor;
}

function enter(receiving: Map<string, number>, caller: string): void {
  const own = receiving.get(caller) ?? 0;
  const all = [...receiving.values()].reduce((sum, count) => sum + count, 0);
  const ownMax = all < filesMax / 2 ? filesPerCallerMax : 1;
  if (own >= ownMax || all >= filesMax) {
    const detail = 'Other files are being received: try again in a moment.';
    throw new Problem('rate_limited', { detail, headers: { 'Retry-After': '5' } });
  }
  receiving.set(caller, own + 1);
}

function leave(receiving: Map<string, number>, caller: string): void {
  const rest = (receiving.get(caller) ?? 1) - 1;
  if (rest === 0) receiving.delete(caller);
  else receiving.set(caller, rest);
}
