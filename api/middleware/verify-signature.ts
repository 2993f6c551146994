import type { Request, RequestHandler, Response } from 'express';
import type { ApiKeyRecord } from '../../prisma/credentials.ts';
import { isDatabaseAway } from '../../prisma/database.ts';
import { rememberNonce } from '../../prisma/request-nonces.ts';
import { isSignedWith, type SignedRequest, toleranceSeconds } from '../../runtime/request-signature.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import type { Principal } from '../principal.ts';
import { receivedAtOf } from './identify-request.ts';
import { bodyBytesOf, knownOf, principalOf, setKnown } from './locals.ts';

/**
 * A request may be signed for the end of the tolerance, and is good until the end of it from then; a minute more for a body
 * that is slow to arrive, and for the clocks of other processes.
 */
const rememberedForMs = (2 * toleranceSeconds + 60) * 1_000;

/**
 * Checks the signature over a request where it has one, or its key wants one; one that is there is never passed over. Only
 * who holds the secret learns more than that it is wrong. A request counts once: its nonce is remembered when all else is right.
 */
export function verifySignature({ db, secretBox }: Pick<ApiDeps, 'db' | 'secretBox'>): RequestHandler {
  return async (request, response, next) => {
    const key = signingKeyOf(principalOf(response));
    const signature = signatureOf(request);
    if (signature === null) {
      if (key?.requiresSignature === true) throw refused('signature_required');
      return next();
    }
    if (key === null || key.signingSecret === null)
      throw refused('signature_refused', 'This credential has no signing secret.');
    const signed = signedOf(request, response, signature);
    if (!isSignedWith(secretBox.open(key.signingSecret, key.keyId), signed, signature.value))
      throw refused('signature_refused');
    const now = receivedAtOf(response);
    if (Math.abs(now.getTime() / 1_000 - Number(signed.timestamp)) > toleranceSeconds) throw refused('signature_stale');
    await takeOnce(response, () =>
      rememberNonce(db, key.keyId, signed.nonce, new Date(now.getTime() + rememberedForMs)),
    );
    next();
  };
}

/** The key whose signing rules hold: of a session, the one that opened it. */
function signingKeyOf({ credential }: Principal): ApiKeyRecord | null {
  return credential.kind === 'operator_key' ? null : credential.key;
}

interface SignatureHeaders {
  readonly timestamp: string;
  readonly nonce: string;
  readonly value: string;
}

/** Null: the request has none of the headers. Throws where one is missing, stands there twice, or has another form. */
function signatureOf({ headersDistinct: sent }: Request): SignatureHeaders | null {
  const timestamps = sent['x-signature-timestamp'];
  const nonces = sent['x-signature-nonce'];
  const values = sent['x-signature'];
  if (timestamps === undefined && nonces === undefined && values === undefined) return null;
  return {
    timestamp: single(
      timestamps,
      /^[1-9]\d{0,14}$/,
      'X-Signature-Timestamp must be there once, in whole seconds since 1970.',
    ),
    nonce: single(nonces, /^[\w-]{16,64}$/, 'X-Signature-Nonce must be there once: 16 to 64 letters, digits, - or _.'),
    value: single(
      values,
      /^v1=[0-9a-f]{64}$/,
      'X-Signature must be there once: v1= and 64 hexadecimal digits in lower case.',
    ),
  };
}

function single(values: readonly string[] | undefined, form: RegExp, detail: string): string {
  const [value, another] = values ?? [];
  if (value === undefined || another !== undefined || !form.test(value)) throw refused('signature_refused', detail);
  return value;
}

function signedOf(request: Request, response: Response, { timestamp, nonce }: SignatureHeaders): SignedRequest {
  const { method, originalUrl: target } = request;
  if (!target.startsWith('/')) throw refused('signature_refused', 'Send path and query alone, not a whole URL.');
  return { timestamp, nonce, method, target, body: bodyBytesOf(response) };
}

/**
 * Without the database nobody can say whether a request was there before: it is refused like everything else while the
 * database is away, in the words of its route.
 */
async function takeOnce(response: Response, remember: () => Promise<boolean>): Promise<void> {
  const known = knownOf(response);
  if (known.outage !== null) return;
  try {
    if (!(await remember())) throw refused('nonce_reused');
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    setKnown(response, { ...known, outage: error });
  }
}

type SignatureProblem = 'signature_required' | 'signature_refused' | 'signature_stale' | 'nonce_reused';

function refused(code: SignatureProblem, detail?: string): Problem {
  return new Problem(code, { headers: { 'WWW-Authenticate': 'Bearer' }, ...(detail !== undefined && { detail }) });
}
