/** Returns the event of a webhook, or throws when it is not to be trusted. See the comment in `verify-webhook.mjs`. */
export function verifyWebhook(
  body: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  secret: string,
  now?: number,
): { id: string; type: string; sequence: number; object_id: string; created_at: string; data: Record<string, unknown> };
