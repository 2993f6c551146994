import type { WireRequest } from './exchange.ts';
import type { Ground } from './ground.ts';

const bodyShownMax = 4_000;

/** The request as a line for a shell; the key is `$API_KEY` and the address `$API_URL`, so that it can be shown and repeated. */
export function curlOf(request: WireRequest, { apiUrl, keys }: Pick<Ground, 'apiUrl' | 'keys'>): string {
  const isUsual = /^\/[\x21-\x7e]*$/.test(request.target) && !request.target.includes('#');
  const names = new Set(request.headers.map(([name]) => name));
  // What curl would add by itself, and we did not send; it knows its own `Host` in this spelling alone.
  const own = ['Host', ...(request.body === null ? [] : ['Content-Type'])];
  const absent = own.filter((name) => !names.has(name.toLowerCase()));
  const parts = [
    'curl -sS -i --path-as-is',
    request.method === 'HEAD' ? '--head' : `-X ${request.method}`,
    ...absent.flatMap((name) => ['-H', quoted(`${name}:`)]),
    ...request.headers.flatMap(([name, value]) => {
      const isCurls = ownHeaders[name]?.(value, request, apiUrl) ?? false;
      return isCurls ? [] : headerOf(name, value, Object.values(keys));
    }),
    ...bodyOf(request.body),
    isUsual ? `"$API_URL"${quoted(request.target)}` : `--request-target ${quoted(request.target)} "$API_URL"`,
  ];
  return parts.join(' ');
}

/** Whether curl sends a header of this name with this value by itself. */
const ownHeaders: Readonly<Record<string, (value: string, request: WireRequest, apiUrl: string) => boolean>> = {
  host: (value, _request, apiUrl) => value === new URL(apiUrl).host,
  connection: (value) => value === 'close',
  'content-length': (value, { body }) => value === String(body?.length),
};

/** A header without a value ends in a semicolon for curl: with a colon it would take the header away. */
function headerOf(name: string, value: string, keys: readonly string[]): string[] {
  const key = keys.find((one) => value.includes(one));
  if (key === undefined) return ['-H', quoted(value === '' ? `${name};` : `${name}: ${value}`)];
  const [before = '', after = ''] = value.split(key);
  return ['-H', `${quoted(`${name}: ${before}`)}"$API_KEY"${after === '' ? '' : quoted(after)}`];
}

function bodyOf(body: Buffer | null): string[] {
  if (body === null) return [];
  const shown = ['--data-binary', quoted(body.subarray(0, bodyShownMax).toString('latin1'))];
  return body.length > bodyShownMax ? [...shown, `(cut: ${body.length} bytes; the seed makes all of them)`] : shown;
}

/** For a POSIX-like shell; bytes that nobody can read or copy are written as escapes. */
function quoted(bytes: string): string {
  if (/^[\x20-\x7e]*$/.test(bytes)) return `'${bytes.replaceAll("'", `'\\''`)}'`;
  const escaped = bytes.replaceAll(/[^\x20-\x7e]|['\\]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `$'${escaped}'`;
}
