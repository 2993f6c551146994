import { testCards } from './body-mutations.ts';
import type { DocumentedAnswer, Operation, Schema } from './document.ts';
import type { WireAnswer, WireRequest } from './exchange.ts';
import type { Ground } from './ground.ts';
import type { Mutation } from './mutation.ts';
import { closed, createValidators } from './schemas.ts';

/** A request with its answer, and how it came to be. */
interface Exchange {
  readonly mutation: Pick<Mutation, 'name' | 'answers'>;
  readonly request: WireRequest;
  readonly answer: WireAnswer;
}

/** Says everything that is wrong with an answer; nothing: it is as documented. */
export type Judge = (exchange: Exchange) => string[];

/** A problem as every answer has it that is no success. */
interface ProblemBody {
  readonly status?: unknown;
  readonly type?: unknown;
  readonly code?: unknown;
  readonly request_id?: unknown;
}

/** Nothing that is asked here takes so long. */
export const slowAfterMs = 5_000;
const problemType = 'application/problem+json';

/** What only our own code, our tools and our machines say. None of it is in any value that is sent. */
const internals =
  /node_modules|\.[jt]s:\d+|\n\s+at \S+ \(|\/(?:home|root|work|usr|var|opt|app)\/\w|\bSELECT\b.*\bFROM\b|\bINSERT INTO\b|prisma|postgres|ECONN[A-Z]+|violates [\w-]+ constraint|\b(?:Type|Reference|Syntax|Range)Error\b|ZodError/;

/** Judges answers by the document that describes these operations. */
export function createJudge(operations: readonly Operation[], ground: Pick<Ground, 'keys' | 'valuesOf'>): Judge {
  const problem = operations
    .flatMap(({ answers }) => [...answers.values()])
    .find(({ schemas }) => schemas.has(problemType));
  if (problem === undefined) throw new Error('the OpenAPI document describes no problem');
  const secrets = [
    ...testCards,
    ...testCards.map((card) => card.replaceAll(/(.{4})(?=.)/g, '$1 ')),
    ...Object.values(ground.keys),
  ];
  const ofOthers = operations.flatMap(({ path }) => ground.valuesOf(path).others);
  const others = new Set(ofOthers.flatMap((values) => Object.values(values)));
  const ofBody = bodyComplaints();
  const ofRequest = requestComplaints();

  return (exchange) => {
    const { request, answer, mutation } = exchange;
    const operation = operationOf(request, operations);
    const documented = operation === null ? { ...problem, description: '' } : operation.answers.get(answer.status);
    return [
      ...statusComplaints(exchange, operation, operations),
      ...(documented === undefined ? [] : ofBody(answer, documented, request.method === 'HEAD')),
      ...headerComplaints(exchange),
      ...(isGood(answer) && operation !== null ? ofRequest(request, operation) : []),
      ...secrets
        .filter((secret) => answer.text.includes(secret))
        .map(() => 'the answer repeats a card number or a key'),
      ...(isGood(answer) && operation?.caller !== 'operator' // who may see what is anybody's
        ? [...others].filter((id) => answer.text.includes(id)).map((id) => `shows ${id} of another merchant`)
        : []),
      ...(internals.test(answer.text) ? [`tells internals: ${internals.exec(answer.text)?.[0]}`] : []),
      ...(answer.timeMs > slowAfterMs ? [`took ${Math.round(answer.timeMs)} ms (${mutation.name})`] : []),
    ];
  };
}

const isGood = ({ status }: WireAnswer) => status >= 200 && status < 300;

/** The operation that the request is for, by its method and its path as the document has them; null: none. */
export function operationOf(
  request: Pick<WireRequest, 'method' | 'target'>,
  operations: readonly Operation[],
): Operation | null {
  const method = request.method === 'HEAD' ? 'GET' : request.method; // RFC 9110: HEAD is wherever GET is
  return operationsAt(request.target, operations).find((operation) => operation.method === method) ?? null;
}

/** Paths are compared as they came, undecoded; a slash at the end does not count. A whole URL counts if it is one. */
function operationsAt(target: string, operations: readonly Operation[]): Operation[] {
  if (!target.startsWith('/') && !URL.canParse(target)) return [];
  const [path = ''] = target.replace(/^http:\/\/[^/]*/, '').split(/[?#]/);
  return operations.filter((operation) => patternOf(operation.path).test(path));
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`);
}

function statusComplaints(
  { request, answer, mutation }: Exchange,
  operation: Operation | null,
  all: readonly Operation[],
): string[] {
  const { status } = answer;
  if (status >= 500) return [`answered ${status}, and nothing is down`];
  const isExpected = mutation.answers?.includes(status) ?? true;
  if (!isExpected) return [`answered ${status}, expected ${mutation.answers?.join(' or ')}`];
  if (operation !== null) return operation.answers.has(status) ? [] : [`answered ${status}, which is not documented`];
  // Before a path is looked at: the line cannot be read at all, or the request's own id is not valid or a card number.
  if (status === 400 || status === 422) return [];
  const here = operationsAt(request.target, all);
  if (here.length === 0) return status === 404 ? [] : [`answered ${status}, but there is nothing at this path`];
  if (status !== 405) return [`answered ${status}, but this path has no such method`];
  const [allowed, expected] = [answer.headers.get('allow') ?? '', here.map(({ method }) => method)];
  return allowed.split(', ').toSorted().join() === expected.toSorted().join()
    ? []
    : [`allows "${allowed}", expected ${expected.join(', ')}`];
}

function bodyComplaints() {
  const validatorOf = createValidators('json');
  const closedSchemas = new Map<Schema, Schema>();
  const closedOnce = (schema: Schema) => {
    const known = closedSchemas.get(schema) ?? closed(schema);
    closedSchemas.set(schema, known);
    return known;
  };
  return (answer: WireAnswer, { schemas, description }: DocumentedAnswer, isHead: boolean): string[] => {
    const [type = ''] = (answer.headers.get('content-type') ?? '').split(';');
    const schema = schemas.get(type);
    if (schema === undefined) return [`sent "${type}", documented: ${[...schemas.keys()].join(', ')}`];
    if (isHead) return answer.text === '' ? [] : ['answered HEAD with a body'];
    if (!type.endsWith('json')) return validatorOf(schema)(answer.text);
    const body = parsed(answer.text);
    if (body === undefined) return ['the body is not JSON'];
    const complaints = validatorOf(closedOnce(schema))(body).map((complaint) => `the body: ${complaint}`);
    return type === problemType
      ? [...complaints, ...problemComplaints(body as ProblemBody, answer, description)]
      : complaints;
  };
}

function problemComplaints(
  { status, type, code, request_id: id }: ProblemBody,
  answer: WireAnswer,
  description: string,
): string[] {
  return [
    ...(status === answer.status ? [] : [`the problem says ${String(status)} in an answer with ${answer.status}`]),
    ...(String(type).endsWith(`:${String(code)}`)
      ? []
      : [`the type ${String(type)} does not name the code ${String(code)}`]),
    ...(description === '' || description.includes(`\`${String(code)}\``)
      ? []
      : [`${String(code)} is not documented for ${answer.status}`]),
    ...(isUnread(answer) || id === answer.headers.get('x-request-id') ? [] : ['request_id is not X-Request-Id']),
  ];
}

/** What is not HTTP never becomes a request, and gets no id. */
function isUnread({ text }: WireAnswer): boolean {
  return (parsed(text) as ProblemBody | undefined)?.request_id === 'none';
}

function headerComplaints({ answer }: Exchange): string[] {
  const isRedirect = answer.status >= 300 && answer.status < 400;
  const id = answer.headers.get('x-request-id');
  return [
    ...(isUnread(answer) || (id !== null && id !== '') ? [] : ['has no X-Request-Id']),
    ...(answer.status === 401 && !answer.headers.has('www-authenticate') ? ['401 without WWW-Authenticate'] : []),
    ...(isRedirect && !URL.canParse(answer.headers.get('location') ?? '') ? [`${answer.status} to nowhere`] : []),
  ];
}

/** What was taken must be what the document allows. */
function requestComplaints() {
  const [ofJson, ofText] = [createValidators('json'), createValidators('text')];
  return (request: WireRequest, operation: Operation): string[] => {
    const { body, parameters } = operation;
    const misfits = body === null ? [] : ofJson(body)(parsed(request.body?.toString() ?? ''));
    const asked = new URL(request.target, 'http://x').searchParams;
    for (const name of asked.keys()) {
      const parameter = parameters.find((one) => one.in === 'query' && one.name === name);
      if (parameter === undefined) misfits.push(`?${name} is not known`);
      else misfits.push(...ofText(parameter.schema)(asked.get(name)).map((misfit) => `?${name}: ${misfit}`));
    }
    return misfits.map((misfit) => `took what the document forbids: ${misfit}`);
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
