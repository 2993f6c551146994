import PostalMime from 'postal-mime';

/** A mail that came in. `from` and `to` are those of the envelope; headers have lower-case names. */
export interface Mail {
  readonly from: string | null;
  readonly to: readonly string[];
  readonly subject: string | null;
  readonly text: string | null;
  readonly html: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly message_id: string | null;
}

/** Reads a mail as it came over the wire. A header that comes twice has both values, parted by a comma. */
export async function readMail(raw: Buffer, from: string | null, to: readonly string[]): Promise<Mail> {
  const mail = await PostalMime.parse(raw);
  const headers: Record<string, string> = {};
  for (const { key, value } of mail.headers) headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  return {
    from,
    to,
    subject: mail.subject ?? null,
    text: mail.text ?? null,
    html: mail.html ?? null,
    headers,
    message_id: mail.messageId ?? null,
  };
}
