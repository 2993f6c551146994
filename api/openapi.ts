import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { type ProblemCode, problemCatalogue } from './errors.ts';
import { type Envelope, permissions, type Route } from './route.ts';

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
  const bearer = registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'A merchant’s API key, `po_test_…` or `po_live_…`. The key carries the mode.',
  });
  for (const route of routes) registry.registerPath(pathOf(route, bearer.name));
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

function pathOf(route: Route, security: string): RouteConfig {
  const { permission } = route;
  const needs = permission === null ? '' : `\n\nPermission: \`${permission}\` (${permissions[permission]}).`;
  return {
    operationId: route.operationId,
    tags: [/^(?:\/api\/v1)?\/(\w+)/.exec(route.path)?.[1] ?? 'other'],
    method: route.method,
    path: route.path,
    summary: route.summary,
    description: `${route.description}${needs}`,
    security: permission === null ? [] : [{ [security]: [] }],
    request: {
      headers: route.headers,
      params: route.params,
      ...(route.query === undefined ? {} : { query: route.query }),
      ...(route.body === undefined ? {} : { body: { required: true, content: json(route.body) } }),
    },
    responses: { ...successes(route), ...failures(route) },
  };
}

function successes(route: Route): RouteConfig['responses'] {
  const entries = Object.entries(route.responses).map(([status, { description, schema }]) => {
    const content = route.envelope === 'text' ? { 'text/plain': { schema } } : json(bodyOf(route.envelope, schema));
    return [status, { description, content }] as const;
  });
  return Object.fromEntries(entries);
}

function bodyOf(envelope: Envelope, schema: z.ZodType): z.ZodType {
  const common = { request_id: z.string(), timestamp: z.iso.datetime() };
  switch (envelope) {
    case 'none':
    case 'text':
      return schema;
    case 'object':
      return z.object({ data: schema, ...common });
    case 'list':
      return z.object({ data: z.array(schema), has_more: z.boolean(), next_cursor: z.string().nullable(), ...common });
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

function json(schema: z.ZodType) {
  return { 'application/json': { schema } };
}
