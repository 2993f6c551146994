/** A header of a signed request. */
export interface SignatureHeader {
  readonly name: string;
  readonly pattern: RegExp;
  /** The pattern in words. */
  readonly form: string;
}

/** What a signed request carries, all three or none: see docs/request-signing.md. */
export const signatureHeaders = {
  timestamp: { name: 'X-Signature-Timestamp', pattern: /^[1-9][0-9]{0,14}$/, form: 'whole seconds since 1970' },
  nonce: { name: 'X-Signature-Nonce', pattern: /^[A-Za-z0-9_-]{16,64}$/, form: '16 to 64 letters, digits, - or _' },
  value: {
    name: 'X-Signature',
    pattern: /^v1=[0-9a-f]{64}$/,
    form: 'v1= and 64 hexadecimal digits in lower case',
  },
} as const satisfies Record<string, SignatureHeader>;
