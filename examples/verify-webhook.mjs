// Verifies webhooks (https://www.standardwebhooks.com) with nothing but Node. Copy it into your receiver.
import { createHmac, timingSafeEqual } from 'node:crypto';

const toleranceSeconds = 5 * 60;

/**
 * Returns the event of a webhook, or throws when it is not to be trusted. `body` is the text exactly as it was received:
 * parsed and written again, it has another signature. `headers` have lower-case names. `secret` is `whsec_…`.
 */
export function verifyWebhook(body, headers, secret, now = Date.now()) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (!id || !timestamp || !signatures) throw new Error('A header of the signature is missing.');
  const ageSeconds = now / 1000 - Number(timestamp);
  if (!/^\d+$/.test(timestamp) || Math.abs(ageSeconds) > toleranceSeconds)
    throw new Error('The webhook is not of now.');
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();
  // Several while a secret is being replaced: `v1,<base64> v1,<base64>`.
  const isSigned = signatures.split(' ').some((versioned) => {
    const [version, signature = ''] = versioned.split(',');
    const given = Buffer.from(signature, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!isSigned) throw new Error('The signature is not right.');
  return JSON.parse(body);
}
