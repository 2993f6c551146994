/** What we read of a JSON schema, 2020-12, without references. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** A parameter of an operation. */
export interface Parameter {
  readonly in: 'header' | 'path' | 'query';
  readonly name: string;
  readonly required: boolean;
  readonly schema: Schema;
}

/** One documented answer: its schemas by media type. */
export interface DocumentedAnswer {
  readonly description: string;
  readonly schemas: ReadonlyMap<string, Schema>;
}

/** One operation as the OpenAPI document describes it. */
export interface Operation {
  readonly id: string;
  /** In upper case, as it goes over the wire. */
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  /** Whose key it takes, beside access tokens; null: anybody may call it. */
  readonly caller: 'merchant' | 'operator' | 'anyone known' | null;
  readonly parameters: readonly Parameter[];
  /** Headers of signed requests, which are no parameters here: without the secret, none of their values is right. */
  readonly signatureHeaders: readonly Parameter[];
  /** Of a JSON body; null: it takes none. */
  readonly body: Schema | null;
  /** It takes any bytes, of which a signature says whose they are. */
  readonly takesBytes: boolean;
  /** It takes a file of rows. */
  readonly takesFile: boolean;
  readonly answers: ReadonlyMap<number, DocumentedAnswer>;
}

interface RawOperation {
  readonly operationId: string;
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }
    >
  >;
}

/** Reads the document that the API itself serves. */
export async function readOperations(apiUrl: string): Promise<Operation[]> {
  const response = await fetch(`${apiUrl}/openapi.json`);
  if (!response.ok) throw new Error(`/openapi.json answered ${response.status}`);
  return operationsOf(await response.json());
}

/** The operations of an OpenAPI 3.1 document. Throws when it has none, or a schema that holds itself. */
export function operationsOf(document: unknown): Operation[] {
  const { paths } = inlined(document, document, []) as { paths: Record<string, Record<string, RawOperation>> };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => operationOf(path, method, raw)),
  );
  if (operations.length === 0) throw new Error('the OpenAPI document has no operations');
  return operations;
}

function operationOf(path: string, method: string, raw: RawOperation): Operation {
  const { parameters = [] } = raw;
  const answers = Object.entries(raw.responses).map(([status, { description, content = {} }]) => {
    const schemas = Object.entries(content).map(([type, { schema }]) => [type, schema] as const);
    return [Number(status), { description, schemas: new Map(schemas) }] as const;
  });
  return {
    id: raw.operationId,
    method: method.toUpperCase(),
    path,
    caller: callerOf(raw),
    parameters: parameters.filter((one) => !isOfSignature(one)),
    signatureHeaders: parameters.filter(isOfSignature),
    body: raw.requestBody?.content['application/json']?.schema ?? null,
    takesBytes: raw.requestBody?.content['*/*']?.schema.format === 'binary',
    takesFile: raw.requestBody?.content['text/csv'] !== undefined,
    answers: new Map(answers),
  };
}

const isOfSignature = ({ in: where, name }: Parameter) => where === 'header' && /^x-signature\b/i.test(name);

const callers: Readonly<Record<string, Operation['caller']>> = {
  '': null,
  'apiKey,accessToken': 'merchant',
  'operatorKey,accessToken': 'operator',
  'apiKey,operatorKey,accessToken': 'anyone known',
};

function callerOf({ operationId, security = [] }: RawOperation): Operation['caller'] {
  const schemes = security.flatMap((scheme) => Object.keys(scheme)).join(',');
  const caller = callers[schemes];
  if (caller === undefined) throw new Error(`${operationId} is secured by ${schemes}, which is not known here: add it`);
  return caller;
}

/** The same with every `$ref` replaced by what it points at. */
function inlined(node: unknown, document: unknown, within: readonly string[]): unknown {
  if (Array.isArray(node)) return node.map((element) => inlined(element, document, within));
  if (typeof node !== 'object' || node === null) return node;
  const { $ref: ref, ...rest } = node as { $ref?: unknown };
  const own = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, inlined(value, document, within)]));
  if (typeof ref !== 'string') return own;
  if (within.includes(ref)) throw new Error(`${ref} holds itself: values of it cannot be made here`);
  return { ...(inlined(targetOf(ref, document), document, [...within, ref]) as object), ...own };
}

function targetOf(ref: string, document: unknown): unknown {
  const names = ref.replace(/^#\//, '').split('/');
  const target = names.reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], document);
  if (target === undefined) throw new Error(`the OpenAPI document points at ${ref}, which is not in it`);
  return target;
}
