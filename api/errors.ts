/** Every problem that the API can answer with: its HTTP status, its title, and what it means for the caller. */
export const problemCatalogue = {
  invalid_json: {
    status: 400,
    title: 'The body is not readable JSON',
    meaning: 'Nothing was done. Send valid UTF-8 JSON.',
  },
  invalid_header: {
    status: 400,
    title: 'A header is not valid',
    meaning: 'Nothing was done. `errors` names the header.',
  },
  unauthorized: {
    status: 401,
    title: 'The API key or access token is missing or not valid',
    meaning: 'Send `Authorization: Bearer` with a key or a token.',
  },
  token_expired: {
    status: 401,
    title: 'The access token has expired',
    meaning: 'Ask for a new one with the refresh token.',
  },
  token_revoked: {
    status: 401,
    title: 'The session of this token has ended',
    meaning: 'It was revoked, or its refresh token was used twice. Log in again.',
  },
  api_key_expired: {
    status: 401,
    title: 'The API key has expired',
    meaning: 'Make a new key, or have its `expires_at` changed.',
  },
  api_key_revoked: { status: 401, title: 'The API key was revoked', meaning: 'Use another key.' },
  login_refused: {
    status: 401,
    title: 'The login was refused',
    meaning:
      'Merchant, e-mail address and password do not fit together, or the account is not active. Check all three, or ask who ' +
      'manages users.',
  },
  totp_code_required: {
    status: 401,
    title: 'A code of the authenticator is needed',
    meaning: 'The password is right. Send `totp_code`, or one of the recovery codes as `recovery_code`.',
  },
  refresh_refused: {
    status: 401,
    title: 'The refresh token is not valid',
    meaning: 'It is unknown, expired, was used before, or its session has ended. Log in again.',
  },
  invitation_refused: {
    status: 401,
    title: 'The invitation is not valid',
    meaning: 'It is unknown, was used, or has expired. Ask for another one.',
  },
  signature_required: {
    status: 401,
    title: 'The request must be signed',
    meaning:
      'This key takes signed requests only: send `X-Signature`, `X-Signature-Timestamp` and `X-Signature-Nonce`, as ' +
      'docs/request-signing.md says.',
  },
  signature_refused: {
    status: 401,
    title: 'The signature does not fit the request',
    meaning:
      'Nothing was done. It is made over version, timestamp, nonce, method, path with query, idempotency key, and the hash of ' +
      'the body.',
  },
  signature_stale: {
    status: 401,
    title: 'The signature is too old, or of the future',
    meaning: 'Nothing was done. The timestamp may differ from our clock by 300 seconds.',
  },
  nonce_reused: {
    status: 401,
    title: 'This signed request was taken before',
    meaning: 'Nothing was done this time. Sign every request anew, also a repeat.',
  },
  event_refused: {
    status: 401,
    title: 'The event is not proven to be the provider’s, or it is too old',
    meaning: 'Nothing was stored. `detail` says what is wrong with the signature or its time.',
  },
  forbidden: {
    status: 403,
    title: 'This is not allowed',
    meaning:
      'The key or role lacks the permission that the route names, or more would be given than the caller has, or it is not for ' +
      'merchants, or not for the platform.',
  },
  merchant_suspended: {
    status: 403,
    title: 'The merchant is suspended',
    meaning: 'Nothing is served until the platform activates it again.',
  },
  user_suspended: {
    status: 403,
    title: 'The account is suspended',
    meaning: 'Somebody who manages users can activate it again.',
  },
  address_not_allowed: {
    status: 403,
    title: 'The key may not be used from this address',
    meaning: 'See `ip_whitelist` and `ip_blacklist` of the key.',
  },
  outside_allowed_hours: {
    status: 403,
    title: 'The key may not be used at this time',
    meaning: 'See `allowed_hours` of the key.',
  },
  totp_required: {
    status: 403,
    title: 'A second factor is needed',
    meaning: 'Set up an authenticator at `/api/v1/auth/totp`, then log in with its code.',
  },
  not_found: {
    status: 404,
    title: 'There is no such thing here',
    meaning: 'It does not exist for this merchant in this mode.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed here',
    meaning: '`Allow` names those that are.',
  },
  request_timeout: {
    status: 408,
    title: 'The request did not arrive in time',
    meaning: 'Nothing was done. Send the whole request within 15 seconds.',
  },
  external_id_taken: {
    status: 409,
    title: 'The external_id is taken',
    meaning: 'Nothing was stored. Another object of this kind has it, made with another idempotency key.',
  },
  too_many_webhook_endpoints: {
    status: 409,
    title: 'There are too many active webhook endpoints',
    meaning: 'Nothing was stored. At most 20 may be active per mode.',
  },
  payment_not_capturable: {
    status: 409,
    title: 'The payment has nothing to capture',
    meaning: 'Nothing was done. Nothing is reserved, or all of it was captured or released.',
  },
  payment_not_cancelable: {
    status: 409,
    title: 'The payment cannot be canceled',
    meaning: 'Nothing was released. `detail` says how the payment stands.',
  },
  too_late_to_cancel: {
    status: 409,
    title: 'The payment is captured already',
    meaning: 'Nothing is left to cancel. Refund it instead.',
  },
  payment_not_refundable: {
    status: 409,
    title: 'The payment has nothing to refund',
    meaning: 'Nothing was done. Nothing of it was captured.',
  },
  movement_in_progress: {
    status: 409,
    title: 'Another movement of its money is not over',
    meaning:
      'Nothing was done. A charge, capture or cancellation of this payment is under way, or its outcome is unresolved. Try ' +
      'again when it has ended.',
  },
  amount_exceeds_capturable: {
    status: 409,
    title: 'The amount is more than can be captured',
    meaning: 'Nothing was done. At most what is authorized and neither captured nor released can be captured.',
  },
  too_many_captures: {
    status: 409,
    title: 'The payment has as many captures as it may have',
    meaning: 'Nothing was done. A payment has at most 100 captures, declined ones included: cancel the rest.',
  },
  amount_exceeds_refundable: {
    status: 409,
    title: 'The amount is more than can be refunded',
    meaning: 'Nothing was done. What is captured less all refunds, also those under way, can be refunded.',
  },
  refund_spans_captures: {
    status: 409,
    title: 'No single capture covers the refund',
    meaning:
      'Nothing was done. This provider pays back captures one by one: refund each with its `capture_id`, or a smaller amount.',
  },
  email_taken: {
    status: 409,
    title: 'A user with this e-mail address exists',
    meaning: 'Nothing was stored. Change or invite that user again.',
  },
  last_owner: {
    status: 409,
    title: 'The merchant would have no owner',
    meaning: 'Nothing was changed. Make somebody else an owner first.',
  },
  too_many_api_keys: {
    status: 409,
    title: 'There are too many active API keys',
    meaning: 'Nothing was stored. At most 20 may be active per mode: revoke one.',
  },
  totp_already_confirmed: {
    status: 409,
    title: 'An authenticator is set up already',
    meaning:
      'Nothing was changed. To set up another one, have an operator reset it (`npm run admin -- reset-totp`), then log in ' +
      'and begin anew.',
  },
  totp_not_begun: {
    status: 409,
    title: 'No authenticator is being set up',
    meaning: 'Begin with `POST /api/v1/auth/totp`.',
  },
  customer_blanked: {
    status: 409,
    title: 'The customer’s data were removed',
    meaning: 'Nothing was changed: a blanked customer stays blank.',
  },
  customer_has_subscriptions: {
    status: 409,
    title: 'The customer has subscriptions',
    meaning: 'Nothing was removed: a subscription of the customer goes on. Cancel it first.',
  },
  subscription_ended: {
    status: 409,
    title: 'The subscription has ended',
    meaning: 'Nothing was changed. It is canceled or completed: make a new one.',
  },
  subscription_not_pausable: {
    status: 409,
    title: 'The subscription cannot be paused',
    meaning: 'Nothing was changed. It is paused already, or unpaid; `detail` says why.',
  },
  subscription_not_paused: {
    status: 409,
    title: 'The subscription is not paused',
    meaning: 'Nothing was changed: there is nothing to resume.',
  },
  invoice_open: {
    status: 409,
    title: 'An invoice of the subscription is open',
    meaning: 'Nothing was changed. Wait until it is paid, give it another payment method, or cancel the subscription.',
  },
  charge_in_progress: {
    status: 409,
    title: 'A charge of the subscription is on its way',
    meaning: 'Nothing was changed. Try again when it has ended.',
  },
  nothing_to_retry: {
    status: 409,
    title: 'The subscription owes nothing',
    meaning: 'Nothing was charged: no invoice of it is open.',
  },
  change_refused: {
    status: 409,
    title: 'The subscription cannot be changed in this way now',
    meaning: 'Nothing was changed. `detail` says why, and what can be done instead.',
  },
  test_clock_advancing: {
    status: 409,
    title: 'The test clock is being advanced',
    meaning: 'Nothing was changed. Wait until it is ready.',
  },
  batch_over: {
    status: 409,
    title: 'The batch is over',
    meaning: 'Nothing was changed. It has ended, was canceled, or never ran.',
  },
  too_many_batches: {
    status: 409,
    title: 'Too many batches are open',
    meaning:
      'Nothing was stored. Four of yours are being received, running or paused in this mode: wait until one is over, or cancel one.',
  },
  batch_not_started: {
    status: 409,
    title: 'The batch has no result yet',
    meaning: 'Its file is being received, or was refused: read the batch.',
  },
  not_unresolved: {
    status: 409,
    title: 'There is nothing to resolve',
    meaning: 'Nothing was done. Its outcome is known, or still being asked for.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    meaning: 'Nothing was done. Bodies are at most 64 KB, those of providers’ events 256 KB, files of batches 64 MB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The content type is not supported',
    meaning: 'Nothing was done. Send `Content-Type: application/json`, UTF-8, without a content encoding.',
  },
  validation_failed: {
    status: 422,
    title: 'Some fields are not valid',
    meaning: 'Nothing was stored. `errors` names them.',
  },
  plan_not_available: {
    status: 422,
    title: 'There is no such plan to subscribe to',
    meaning: 'Nothing was stored. The plan is not there in this mode, or is archived.',
  },
  customer_not_available: {
    status: 422,
    title: 'There is no such customer',
    meaning: 'Nothing was stored. The customer is not there in this mode, or its data were removed.',
  },
  batch_invalid: {
    status: 422,
    title: 'The file has errors',
    meaning:
      'Nothing was started. `errors` names each with its line and column, at most 1,000 of them; `error_count` says how many ' +
      'there are.',
  },
  wrong_mode: {
    status: 422,
    title: 'The key or token is for the other mode',
    meaning: 'Nothing was stored. Test and live mode have keys and tokens of their own; `is_test` must fit.',
  },
  card_number_refused: {
    status: 422,
    title: 'The request contains a card number',
    meaning: 'Nothing was stored or logged. Card numbers are accepted nowhere: send a card token.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The idempotency key was used with another body',
    meaning: 'Nothing was done. Use a new key for a new request.',
  },
  totp_code_refused: {
    status: 422,
    title: 'The code is wrong',
    meaning: 'Nothing was changed. Codes hold for 30 seconds, and each is taken once.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    meaning: 'Nothing was done. Try again after `Retry-After` seconds; `RateLimit` says how the budget stands.',
  },
  login_locked: {
    status: 429,
    title: 'Too many failed logins',
    meaning: 'Nothing was tried. Wait for `Retry-After` seconds, or log in from an address that you used before.',
  },
  internal_error: {
    status: 500,
    title: 'Something went wrong on our side',
    meaning: 'Repeat with the same idempotency key.',
  },
  not_accepted: {
    status: 503,
    title: 'The request was not accepted',
    meaning:
      'This request did nothing. An earlier one with the same key may still be at work; repeat with the same key after `Retry-After`.',
  },
  acceptance_unknown: {
    status: 503,
    title: 'It is not known yet whether the request was accepted',
    meaning: 'The request was sent on, but no answer came in time. Repeat with the same key and learn what happened.',
  },
  unavailable: { status: 503, title: 'The service cannot answer now', meaning: 'Nothing was changed. Try again.' },
} as const satisfies Record<string, { status: number; title: string; meaning: string }>;

/** The word that a caller's program decides by. */
export type ProblemCode = keyof typeof problemCatalogue;

/**
 * One thing that is wrong with a request: where (a JSON pointer into the body, a header's or a parameter's name) and what. Of a
 * file, line and column are those that an editor shows, counted from 1, and the pointer goes into the row.
 */
export interface FieldError {
  readonly line?: number;
  readonly column?: number;
  readonly pointer?: string;
  readonly header?: string;
  readonly parameter?: string;
  readonly detail: string;
}

/** Thrown by handlers and middleware; `middleware/answer-problems.ts` turns it into `application/problem+json`. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;
  /** Further members of the problem, such as `payment_id`. */
  readonly members: Readonly<Record<string, string | number>>;

  constructor(
    code: ProblemCode,
    options: {
      detail?: string;
      errors?: readonly FieldError[];
      headers?: Record<string, string>;
      members?: Record<string, string | number>;
      cause?: unknown;
    } = {},
  ) {
    super(code, { cause: options.cause });
    this.code = code;
    this.detail = options.detail ?? problemCatalogue[code].meaning;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
    this.members = options.members ?? {};
  }
}

/** The body of a problem, as RFC 9457 has it. */
export function problemBody(problem: Problem, requestId: string): Record<string, unknown> {
  const { status, title } = problemCatalogue[problem.code];
  return {
    type: `urn:payment-orchestrator:problem:${problem.code}`,
    title,
    status,
    detail: problem.detail,
    code: problem.code,
    request_id: requestId,
    ...(problem.errors.length === 0 ? {} : { errors: problem.errors }),
    ...problem.members,
  };
}
