import { randomBytes } from 'node:crypto';
import type { HttpError, Wording } from '../http.ts';

const names: ReadonlyMap<number, string> = new Map([
  [400, 'INVALID_REQUEST'],
  [401, 'AUTHENTICATION_FAILURE'],
  [403, 'NOT_AUTHORIZED'],
  [404, 'RESOURCE_NOT_FOUND'],
  [409, 'RESOURCE_CONFLICT'],
  [413, 'PAYLOAD_TOO_LARGE'],
  [415, 'UNSUPPORTED_MEDIA_TYPE'],
  [422, 'UNPROCESSABLE_ENTITY'],
  [429, 'RATE_LIMIT_REACHED'],
  [500, 'INTERNAL_SERVER_ERROR'],
  [503, 'SERVICE_UNAVAILABLE'],
]);
const oauthCodes = new Set(['invalid_client', 'unsupported_grant_type']);

/** PayPal's words for an error: the name follows from the status, and the code is the issue. OAuth has words of its
 * own. */
export const paypalWording: Wording = (error) => {
  if (oauthCodes.has(error.code)) return { error: error.code, error_description: error.message };
  const name = names.get(error.status) ?? 'INTERNAL_SERVER_ERROR';
  const base = { name, message: error.message, debug_id: randomBytes(7).toString('hex') };
  return hasIssue(error) ? { ...base, details: [detailOf(error)] } : base;
};

function hasIssue({ status }: HttpError): boolean {
  return [400, 404, 409, 422].includes(status);
}

function detailOf({ code, message, field }: HttpError): object {
  const at = field === undefined ? {} : { field: `/${field.replaceAll('.', '/')}` };
  return { issue: code.toUpperCase(), ...at, description: message };
}
