import type { Problem } from './api-client.ts';

/** Any answer of the API, with its body as it came. */
export interface CallAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  /** The problem of an answer that is no success; throws on any other. */
  readonly problem: Problem;
}

/** A list as the API sends it. */
export interface List<Element> {
  readonly data: Element[];
  readonly has_more: boolean;
  readonly next_cursor: string | null;
  readonly request_id: string;
  readonly timestamp: string;
}

/** Calls the API with a key (none when null) and reads JSON. */
export async function callApi<Body>(
  apiUrl: string,
  apiKey: string | null,
  request: {
    readonly method?: string;
    readonly path: string;
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<CallAnswer<Body>> {
  const response = await fetch(`${apiUrl}${request.path}`, {
    method: request.method ?? 'GET',
    headers: {
      ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
  });
  return new Answer<Body>(response.status, response.headers, await response.text());
}

/** A class, as `problem` must not be a member of its own: whoever prints an answer reads all of those. */
class Answer<Body> implements CallAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly #problem: Problem;

  constructor(status: number, headers: Headers, text: string) {
    this.status = status;
    this.headers = headers;
    this.body = JSON.parse(text) as Body;
    this.#problem = JSON.parse(text) as Problem;
  }

  get problem(): Problem {
    if (this.status < 300) throw new Error(`expected a problem, got ${this.status}: ${JSON.stringify(this.body)}`);
    return this.#problem;
  }
}

/** A path with the given parameters behind it; those that are undefined are left out. */
export function pathWith(path: string, query: Readonly<Record<string, string | number | undefined | null>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value != null) given.set(name, String(value));
  return given.size === 0 ? path : `${path}?${given.toString()}`;
}

/** All elements of a list, page after page. Throws when the list does not end within `pagesMax`. */
export async function readAll<Element>(
  apiUrl: string,
  apiKey: string,
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
): Promise<Element[]> {
  const pagesMax = 200;
  const all: Element[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < pagesMax; pages++) {
    const answer: CallAnswer<List<Element>> = await callApi(apiUrl, apiKey, {
      path: pathWith(path, { ...query, cursor }),
    });
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    all.push(...answer.body.data);
    if (!answer.body.has_more) return all;
    cursor = answer.body.next_cursor;
  }
  throw new Error(`${path} had more than ${pagesMax} pages`);
}
