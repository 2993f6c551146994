import type { Request, RequestHandler, Response } from 'express';
import type { ApiKeyRecord } from '../../prisma/credentials.ts';
import { isDatabaseAway } from '../../prisma/database.ts';
import { rememberNonce } from '../../prisma/request-nonces.ts';
import { isSignedWith, type SignedRequest, toleranceSeconds } from '../../runtime/request-signature.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import type { Principal } from '../principal.ts';
import { type SignatureHeader, signatureHeaders } from '../signature-headers.ts';
import { receivedAtOf } from './identify-request.ts';
import { bodyBytesOf, bodyHashOf, knownOf, principalOf, setKnown } from './locals.ts';
import { fileMaxMs } from './read-file.ts';

/**
 * A request may be signed for the end of the tolerance, and is good until the end of it from then; a minute more for a body
 * that is slow to arrive, and for the clocks of other processes. A file may take longer: a repeat that begins in time is looked at
 * when its file is there.
 */
const rememberedForMs = (2 * toleranceSeconds + 60) * 1_000;
const fileRememberedForMs = rememberedForMs + fileMaxMs;

const noSecret = 'This credential has no signing secret: leave the signature out, or make a key with `signing`.';

/**
 * Checks the signature over a request where it has one, or its key wants one; one that is there is never passed over. Only
 * who holds the secret learns more than that it is wrong. A request counts once: its nonce is remembered when all else is right.
 */
export function verifySignature({ db, secretBox }: Pick<ApiDeps, 'db' | 'secretBox'>): RequestHandler {
  return async (request, response, next) => {
    const key = signingKeyOf(principalOf(response));
    const signature = signatureOf(request);
    if (signature === null) {
      if (key?.requiresSignature === true) throw new Problem('signature_required');
      return next();
    }
    if (key === null || key.signingSecret === null) throw new Problem('signature_refused', { detail: noSecret });
    const signed = signedOf(request, response, signature);
    if (!isSignedWith(secretBox.open(key.signingSecret, key.keyId), signed, signature.value))
      throw new Problem('signature_refused');
    const now = receivedAtOf(response);
    if (Math.abs(now.getTime() / 1_000 - Number(signed.timestamp)) > toleranceSeconds)
      throw new Problem('signature_stale');
    const forMs = bodyHashOf(response) === null ? rememberedForMs : fileRememberedForMs;
    await takeOnce(response, () => rememberNonce(db, key.keyId, signed.nonce, new Date(now.getTime() + forMs)));
    next();
  };
}

/** The key whose signing rules hold: of a session, the one that opened it. */
function signingKeyOf({ credential }: Principal): ApiKeyRecord | null {
  return credential.kind === 'operator_key' ? null : credential.key;
}

interface Signature {
  readonly timestamp: string;
  readonly nonce: string;
  readonly value: string;
}

/** Null: the request has none of the headers. Throws where one is missing, stands there twice, or has another form. */
function signatureOf({ headersDistinct: sent }: Request): Signature | null {
  const { timestamp, nonce, value } = signatureHeaders;
  const isSigned = [timestamp, nonce, value].some(({ name }) => sent[name.toLowerCase()] !== undefined);
  if (!isSigned) return null;
  return { timestamp: single(sent, timestamp), nonce: single(sent, nonce), value: single(sent, value) };
}

function single(sent: Request['headersDistinct'], { name, pattern, form }: SignatureHeader): string {
  const [value, another] = sent[name.toLowerCase()] ?? [];
  if (value !== undefined && another === undefined && pattern.test(value)) return value;
  throw new Problem('signature_refused', { detail: `${name} must be there once: ${form}.` });
}

function signedOf(request: Request, response: Response, { timestamp, nonce }: Signature): SignedRequest {
  const { method, originalUrl: target } = request;
  if (!target.startsWith('/'))
    throw new Problem('signature_refused', { detail: 'Send path and query alone, not a whole URL.' });
  const [idempotencyKey = '', another] = request.headersDistinct['idempotency-key'] ?? [];
  if (another !== undefined) throw new Problem('signature_refused', { detail: 'Send Idempotency-Key once.' });
  return { timestamp, nonce, method, target, idempotencyKey, body: bodyOf(response) };
}

function bodyOf(response: Response): SignedRequest['body'] {
  const sha256 = bodyHashOf(response);
  return sha256 === null ? bodyBytesOf(response) : { sha256 };
}

/**
 * Without the database nobody can say whether a request was there before: it is refused like everything else while the
 * database is away, in the words of its route.
 */
async function takeOnce(response: Response, remember: () => Promise<boolean>): Promise<void> {
  const known = knownOf(response);
  if (known.outage !== null) return;
  try {
    if (!(await remember())) throw new Problem('nonce_reused');
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    setKnown(response, { ...known, outage: error });
  }
}
