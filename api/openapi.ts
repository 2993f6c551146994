import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { type ProblemCode, problemCatalogue } from './errors.ts';
import { bytesBody, type Envelope, permissions, type Route } from './route.ts';

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
          pointer: z.string().optional(),
          header: z.string().optional(),
          parameter: z.string().optional(),
          detail: z.string(),
        }),
      )
      .optional(),
    payment_id: z.string().optional(),
  })
  .meta({ id: 'Problem' });

/** The OpenAPI 3.1 document of these routes, made from their declarations alone. */
export function openApiDocument(routes: readonly Route[]) {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'A merchant’s API key, `po_test_…` or `po_live_…`. The key carries the mode.',
  });
  registry.registerComponent('securitySchemes', 'operatorKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'A key of the platform’s operators, `po_operator_…`. It belongs to no merchant and to no mode.',
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

function pathOf(route: Route): RouteConfig {
  return {
    operationId: route.operationId,
    tags: [/^(?:\/api\/v1)?\/(\w+)/.exec(route.path)?.[1] ?? 'other'],
    method: route.method,
    path: route.path,
    summary: route.summary,
    description: `${route.description}${needOf(route)}`,
    security: securityOf(route),
    request: {
      headers: route.headers,
      params: route.params,
      ...(route.query === undefined ? {} : { query: route.query }),
      ...(route.body === undefined ? {} : { body: { required: true, content: contentOf(route.body) } }),
    },
    responses: { ...successes(route), ...failures(route) },
  };
}

function needOf({ permission }: Route): string {
  if (permission === null) return '';
  if (permission === 'operator') return '\n\nFor operators’ keys alone.';
  return `\n\nPermission: \`${permission}\` (${permissions[permission]}).`;
}

function securityOf({ permission }: Route): Record<string, []>[] {
  if (permission === null) return [];
  return [permission === 'operator' ? { operatorKey: [] } : { apiKey: [] }];
}

function successes(route: Route): RouteConfig['responses'] {
  const entries = Object.entries(route.responses).map(([status, { description, schema }]) => {
    return [status, { description, content: answerOf(route.envelope, schema) }] as const;
  });
  return Object.fromEntries(entries);
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
];

function failures(route: Route): RouteConfig['responses'] {
  const withKey: ProblemCode[] =
    route.permission === null ? [] : ['unauthorized', 'forbidden', 'internal_error', 'unavailable'];
  const codes = [...new Set([...route.problems, ...withKey, ...common])];
  const byStatus = Map.groupBy(codes, (code) => problemCatalogue[code].status);
  const entries = [...byStatus].map(([status, group]) => {
    const description = group.map((code) => `\`${code}\`: ${problemCatalogue[code].meaning}`).join('\n\n');
    return [status, { description, content: { 'application/problem+json': { schema: problemSchema } } }] as const;
  });
  return Object.fromEntries(entries);
}

function contentOf(body: z.ZodType) {
  return body === bytesBody ? { '*/*': { schema: body } } : json(body);
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } };
}
