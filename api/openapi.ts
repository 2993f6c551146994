import {
  OpenAPIRegistry,
  OpenApiGeneratorV31,
  type ResponseConfig,
  type RouteConfig,
} from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { type ProblemCode, problemCatalogue } from './errors.ts';
import { unlimitedPath } from './middleware/limit-addresses.ts';
import { isPlatformPermission, permissions } from './permissions.ts';
import { bytesBody, type Envelope, fileBody, type Route } from './route.ts';
import { signatureHeaders } from './signature-headers.ts';

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(problemCatalogue) as [ProblemCode, ...ProblemCode[]]),
    request_id: z.string(),
    errors: z
      .array(
        z.object({
          line: z.int().optional(),
          column: z.int().optional(),
          pointer: z.string().optional(),
          header: z.string().optional(),
          parameter: z.string().optional(),
          detail: z.string(),
        }),
      )
      .optional(),
    payment_id: z.string().optional(),
    subscription_id: z.string().optional(),
    batch_id: z.string().optional(),
    error_count: z.int().optional(),
  })
  .meta({ id: 'Problem' });

/** The OpenAPI 3.1 document of these routes, made from their declarations alone. */
export function openApiDocument(routes: readonly Route[]) {
  const registry = new OpenAPIRegistry();
  for (const [name, scheme] of Object.entries(securitySchemes))
    registry.registerComponent('securitySchemes', name, { type: 'http', scheme: 'bearer', ...scheme });
  for (const [name, header] of Object.entries(answerHeaders))
    registry.registerComponent('headers', name, { description: header.description, schema: { type: header.type } });
  for (const { name, pattern, form } of Object.values(signatureHeaders))
    registry.registerComponent('parameters', name, {
      in: 'header',
      name,
      required: false,
      description: `For a signed request: all three or none. Here: ${form}`,
      schema: { type: 'string', pattern: pattern.source },
    });
  for (const route of routes) registry.registerPath(pathOf(route));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'payment-orchestrator',
      version: '1',
      description: 'Payments that are accepted once, charged once, told once, provable afterwards.',
    },
    servers: [{ url: '/' }],
  });
}

const securitySchemes = {
  apiKey: {
    description:
      'A merchant’s API key, `po_test_…` or `po_live_…`. The key carries the mode. Requests of keys with `requires_signature` ' +
      'also carry `X-Signature`, `X-Signature-Timestamp` and `X-Signature-Nonce`: see docs/request-signing.md.',
  },
  operatorKey: {
    description: 'A key of the platform’s operators, `po_operator_…`. It belongs to no merchant and to no mode.',
  },
  accessToken: {
    bearerFormat: 'JWT',
    description:
      'An access token of `POST /api/v1/auth/tokens`, for a quarter of an hour. A merchant’s carries the mode; the ' +
      'platform’s carry none.',
  },
};

/** What answers carry beside their body. */
const answerHeaders = {
  RateLimit: {
    type: 'string',
    description:
      'How the tightest budget of the caller stands: `"minute";r=98;t=42`, 98 requests left, 42 seconds until its window ends',
  },
  'RateLimit-Policy': {
    type: 'string',
    description: 'That budget: `"minute";q=100;w=60`, 100 requests per 60 seconds',
  },
  'Retry-After': { type: 'integer', description: 'After so many seconds it is worth trying again' },
} as const;

function pathOf(route: Route): RouteConfig {
  return {
    operationId: route.operationId,
    tags: [/^(?:\/api\/v1)?\/([\w-]+)/.exec(route.path)?.[1] ?? 'auth'], // where keys of tokens are well-known
    method: route.method,
    path: route.path,
    summary: route.summary,
    description: `${route.description}${needOf(route)}`,
    security: securityOf(route),
    ...(isSignable(route) ? { parameters: signatureParameters } : {}),
    request: {
      headers: route.headers,
      params: route.params,
      ...(route.query === undefined ? {} : { query: route.query }),
      ...(route.body === undefined ? {} : { body: { required: true, content: contentOf(route.body) } }),
    },
    responses: responsesOf(route),
  };
}

function needOf({ permission }: Route): string {
  if (permission === null) return '';
  if (permission === 'self') return '\n\nFor every key and user: it is about themselves.';
  const whose = isPlatformPermission(permission) ? ' For the platform alone.' : '';
  return `\n\nPermission: \`${permission}\` (${permissions[permission]}).${whose}`;
}

function securityOf({ permission }: Route): Record<string, []>[] {
  if (permission === null) return [];
  if (permission === 'self') return [{ apiKey: [] }, { operatorKey: [] }, { accessToken: [] }];
  return [isPlatformPermission(permission) ? { operatorKey: [] } : { apiKey: [] }, { accessToken: [] }];
}

const signatureParameters = Object.values(signatureHeaders).map(({ name }) => ({
  $ref: `#/components/parameters/${name}`,
}));

/** What merchants' keys may call. */
function isSignable({ permission }: Route): boolean {
  return permission !== null && !isPlatformPermission(permission);
}

/** A status may stand for an answer and for problems: health is told with 503 too. */
function responsesOf(route: Route): RouteConfig['responses'] {
  const limits = route.path === unlimitedPath ? [] : (['RateLimit', 'RateLimit-Policy'] as const);
  const responses: Record<string, ResponseConfig> = {};
  for (const [status, problem] of Object.entries(failures(route))) {
    const isWorthTrying = status === '429' || status === '503';
    responses[status] = { ...problem, ...carrying(isWorthTrying ? [...limits, 'Retry-After'] : limits) };
  }
  for (const [status, { description, schema }] of Object.entries(route.responses)) {
    const problem = responses[status];
    responses[status] = {
      ...carrying(limits),
      ...problem,
      description: problem === undefined ? description : `${description}\n\n${problem.description}`,
      content: { ...answerOf(route.envelope, schema), ...problem?.content },
    };
  }
  return responses;
}

function carrying(names: readonly (keyof typeof answerHeaders)[]) {
  if (names.length === 0) return {};
  return { headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) };
}

function answerOf(envelope: Envelope, schema: z.ZodType) {
  const common = { request_id: z.string(), timestamp: z.iso.datetime() };
  const page = { has_more: z.boolean(), next_cursor: z.string().nullable() };
  switch (envelope) {
    case 'none':
      return json(schema);
    case 'text':
      return { 'text/plain': { schema } };
    case 'page':
      return { 'text/html': { schema } };
    case 'csv':
      return { 'text/csv': { schema } };
    case 'object':
      return json(z.object({ data: schema, ...common }));
    case 'list':
      return json(z.object({ data: z.array(schema), ...page, ...common }));
  }
}

/** What any route may answer. */
const common: readonly ProblemCode[] = [
  'invalid_header',
  'method_not_allowed',
  'request_timeout',
  'validation_failed',
  'card_number_refused',
  'rate_limited',
];

/** What a route may answer to whom it does not know, or not serve. */
const toBeKnown: readonly ProblemCode[] = [
  'unauthorized',
  'token_expired',
  'token_revoked',
  'api_key_expired',
  'api_key_revoked',
  'merchant_suspended',
  'user_suspended',
  'address_not_allowed',
  'outside_allowed_hours',
  'signature_required',
  'signature_refused',
  'signature_stale',
  'nonce_reused',
  'internal_error',
  'unavailable',
];

/** What it may answer to whom it knows, and does not let in. */
const toBeAllowed: readonly ProblemCode[] = ['forbidden', 'totp_required'];

function failures(route: Route): Record<string, { description: string; content: object }> {
  const withKey: ProblemCode[] =
    route.permission === null ? [] : [...toBeKnown, ...(route.permission === 'self' ? [] : toBeAllowed)];
  const always = route.path === unlimitedPath ? common.filter((code) => code !== 'rate_limited') : common;
  const codes = [...new Set([...route.problems, ...withKey, ...always])];
  const byStatus = Map.groupBy(codes, (code) => problemCatalogue[code].status);
  const entries = [...byStatus].map(([status, group]) => {
    const description = group.map((code) => `\`${code}\`: ${problemCatalogue[code].meaning}`).join('\n\n');
    return [status, { description, content: { 'application/problem+json': { schema: problemSchema } } }] as const;
  });
  return Object.fromEntries(entries);
}

function contentOf(body: z.ZodType) {
  if (body === fileBody) return { 'text/csv': { schema: body }, 'application/x-ndjson': { schema: body } };
  return body === bytesBody ? { '*/*': { schema: body } } : json(body);
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } };
}
