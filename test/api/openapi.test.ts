import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import * as batches from '../../api/batch/steer.ts';
import { type ProblemCode, problemCatalogue } from '../../api/errors.ts';
import { openApiDocument } from '../../api/openapi.ts';
import { isPlatformPermission, permissions } from '../../api/permissions.ts';
import { routes } from '../../api/routes/index.ts';
import * as submissions from '../../api/submit-and-read.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);

const media = z.record(
  z.string().regex(/^(application\/|text\/(plain|html|csv)$|\*\/\*$)/),
  z.strictObject({ schema: z.record(z.string(), z.unknown()) }),
);
const parameter = z.strictObject({
  name: z.string().min(1),
  in: z.enum(['header', 'path', 'query']),
  required: z.boolean(),
  description: z.string().optional(),
  schema: z.record(z.string(), z.unknown()),
});
const pointerTo = (kind: string) => z.strictObject({ $ref: z.string().startsWith(`#/components/${kind}/`) });
const operation = z.strictObject({
  operationId: z.string().min(1),
  tags: z.array(z.string().min(1)).optional(),
  summary: z.string().min(1),
  description: z.string().min(1),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(z.union([parameter, pointerTo('parameters')])).optional(),
  requestBody: z.strictObject({ required: z.literal(true), content: media }).optional(),
  responses: z.record(
    z.string().regex(/^[1-5]\d\d$/),
    z.strictObject({
      description: z.string().min(1),
      headers: z.record(z.string(), pointerTo('headers')).optional(),
      content: media,
    }),
  ),
});

/** What OpenAPI 3.1 demands of the parts that we use; an unknown member fails, so that a new part gets a rule here. */
const documentSchema = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d$/),
  info: z.strictObject({ title: z.string().min(1), version: z.string().min(1), description: z.string() }),
  servers: z.array(z.strictObject({ url: z.string() })),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'post', 'put', 'patch', 'delete']), operation),
  ),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[A-Za-z0-9._-]+$/), z.record(z.string(), z.unknown())),
    parameters: z.record(z.string(), parameter),
    headers: z.record(
      z.string(),
      z.strictObject({ description: z.string().min(1), schema: z.strictObject({ type: z.string() }) }),
    ),
    securitySchemes: z.record(
      z.string(),
      z.strictObject({
        type: z.literal('http'),
        scheme: z.literal('bearer'),
        bearerFormat: z.literal('JWT').optional(),
        description: z.string(),
      }),
    ),
  }),
  webhooks: z.strictObject({}).optional(),
});

const document = documentSchema.parse(JSON.parse(JSON.stringify(openApiDocument(routes))));
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters = [], ...declared }]) => ({
    path,
    method,
    ...declared,
    parameters: parameters.flatMap((one) => ('$ref' in one ? [] : [one])),
    pointed: parameters.flatMap((one) => ('$ref' in one ? [one.$ref] : [])),
  })),
);
const routeOf = (operationId: string) => {
  const route = routes.find((one) => one.operationId === operationId);
  if (route === undefined) throw new Error(`no route is called ${operationId}`);
  return route;
};

const mediaOf = new Map<string, string>([
  ['text', 'text/plain'],
  ['page', 'text/html'],
  ['csv', 'text/csv'],
]);

test('every route has a file that says of what it is and what it does: resource.verb.ts', () => {
  const files = readdirSync(new URL('api/routes/', root)).filter((file) => file !== 'index.ts');
  expect(
    files.filter(
      (file) =>
        !/^[a-z]+(-[a-z]+)*\.(create|get|list|update|cancel|capture|close|receive|refund|resolve|revoke|refresh|validate|check|cleanup|invite|accept|begin|confirm|change|blank|pause|resume|retry|preview|advance|settle)\.ts$/.test(
          file,
        ),
    ),
  ).toEqual([]);
  expect(files).toHaveLength(routes.length);
});

describe('the OpenAPI document', () => {
  test('has every declared route and no other, each id once', () => {
    const declared = routes.map((route) => `${route.method} ${route.path} ${route.operationId}`);
    const documented = operations.map(({ method, path, operationId }) => `${method} ${path} ${operationId}`);
    expect(documented.toSorted()).toEqual(declared.toSorted());
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(routes.length);
    expect(routes.length).toBeGreaterThan(0);
  });

  test('points only at what it holds, and uses all that it holds', () => {
    const text = JSON.stringify(document);
    const pointed = [...text.matchAll(/"\$ref":"#\/components\/(\w+\/[^"]+)"/g)].map(([, name = '']) => name);
    expect([...text.matchAll(/"\$ref"/g)]).toHaveLength(pointed.length);
    const { securitySchemes: _schemes, ...others } = document.components;
    const held = Object.entries(others).flatMap(([kind, named]) => Object.keys(named).map((name) => `${kind}/${name}`));
    expect([...new Set(pointed)].toSorted()).toEqual(held.toSorted());
    const schemes = operations.flatMap(({ security }) => security.flatMap((one) => Object.keys(one)));
    expect([...new Set(schemes)].toSorted()).toEqual(Object.keys(document.components.securitySchemes).toSorted());
  });

  test.each(operations)('$method $path declares its path parameters, required', ({ path, parameters }) => {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const declared = parameters.filter((one) => one.in === 'path');
    expect(declared.map(({ name }) => name)).toEqual(inPath);
    expect(declared.filter(({ required }) => !required)).toEqual([]);
  });

  test.each(operations)(
    '$method $path declares the parameters of its query, and which of them must be there',
    (one) => {
      const { query = z.object({}) } = routeOf(one.operationId);
      const declared = one.parameters.filter((given) => given.in === 'query');
      expect(declared.map(({ name }) => name)).toEqual(Object.keys(query.shape));
      const needed = Object.entries(query.shape).filter(
        ([, schema]) => !(schema as z.ZodType).safeParse(undefined).success,
      );
      const required = declared.filter((given) => given.required);
      expect(required.map(({ name }) => name)).toEqual(needed.map(([name]) => name));
    },
  );

  test.each(operations)('$method $path answers a list exactly as its envelope says', ({ operationId, responses }) => {
    const { envelope } = routeOf(operationId);
    const bodies = Object.entries(responses).filter(([status]) => status.startsWith('2'));
    const members = {
      none: [],
      text: [],
      page: [],
      csv: [],
      object: ['data'],
      list: ['data', 'has_more', 'next_cursor'],
    }[envelope];
    for (const [, { content }] of bodies) {
      const { required = [] } = z
        .looseObject({ required: z.array(z.string()).optional() })
        .parse(Object.values(content)[0]?.schema);
      if (members.length > 0) expect(required).toEqual([...members, 'request_id', 'timestamp']);
      expect(required.includes('next_cursor')).toBe(envelope === 'list');
    }
  });

  test.each(operations)(
    '$method $path names its permission, or asks for no key',
    ({ operationId, security, description }) => {
      const { permission } = routeOf(operationId);
      const schemes = security.flatMap(Object.keys);
      if (permission === null) return expect(schemes).toEqual([]);
      if (permission === 'self') return expect(schemes).toEqual(['apiKey', 'operatorKey', 'accessToken']);
      expect(schemes).toEqual([isPlatformPermission(permission) ? 'operatorKey' : 'apiKey', 'accessToken']);
      expect(description).toContain(`\`${permission}\` (${permissions[permission]})`);
    },
  );

  test.each(operations)(
    '$method $path documents every answer and every problem with its status',
    ({ operationId, responses }) => {
      const route = routeOf(operationId);
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(Object.keys(route.responses)));
      for (const status of Object.keys(route.responses))
        expect(Object.keys(responses[status]?.content ?? {})).toContain(
          mediaOf.get(route.envelope) ?? 'application/json',
        );
      const always: ProblemCode[] = [
        'invalid_header',
        'method_not_allowed',
        'validation_failed',
        'card_number_refused',
      ];
      const withKey: ProblemCode[] =
        route.permission === null ? [] : ['unauthorized', 'api_key_revoked', 'internal_error', 'unavailable'];
      if (route.permission !== null && route.permission !== 'self') withKey.push('forbidden', 'totp_required');
      for (const code of [...route.problems, ...always, ...withKey]) {
        const answer = responses[problemCatalogue[code].status];
        expect([code, answer?.description]).toEqual([
          code,
          expect.stringContaining(`\`${code}\`: ${problemCatalogue[code].meaning}`),
        ]);
        expect(answer?.content['application/problem+json']?.schema).toEqual({ $ref: '#/components/schemas/Problem' });
      }
    },
  );

  test.each(operations)('$method $path may be signed by merchants’ keys alone', ({ operationId, pointed }) => {
    const { permission } = routeOf(operationId);
    const isSignable = permission !== null && !isPlatformPermission(permission);
    const names = ['X-Signature-Timestamp', 'X-Signature-Nonce', 'X-Signature'];
    expect(pointed).toEqual(isSignable ? names.map((name) => `#/components/parameters/${name}`) : []);
  });

  test.each(operations)('$method $path says with every answer how the budget stands', ({ path, responses }) => {
    for (const [status, { headers = {}, content }] of Object.entries(responses)) {
      const limits = path === '/health/live' ? [] : ['RateLimit', 'RateLimit-Policy'];
      const isRefusal = 'application/problem+json' in content && ['429', '503'].includes(status);
      expect([status, Object.keys(headers)]).toEqual([status, isRefusal ? [...limits, 'Retry-After'] : limits]);
      for (const [name, { $ref }] of Object.entries(headers)) expect($ref).toBe(`#/components/headers/${name}`);
    }
  });

  test('groups operations by what their address is about', () => {
    const tagOf = new Map(operations.map(({ path, tags }) => [path, tags]));
    expect(tagOf.get('/api/v1/payments/{id}/refund')).toEqual(['payments']);
    expect(tagOf.get('/api/v1/audit-logs')).toEqual(['audit-logs']);
    expect(tagOf.get('/.well-known/jwks.json')).toEqual(['auth']);
    expect(tagOf.get('/health/live')).toEqual(['health']);
  });

  test.each(Object.entries(problemCatalogue))(
    'explains the problem %s at some operation',
    (code, { status, title, meaning }) => {
      const all = operations.map(({ responses }) => responses[status]?.description ?? '').join('\n');
      expect(all).toContain(`\`${code}\`: ${meaning}`);
      expect(title).not.toBe('');
      expect(status).toBeGreaterThanOrEqual(400);
      const codes = z.object({ properties: z.object({ code: z.object({ enum: z.array(z.string()) }) }) });
      expect(codes.parse(document.components.schemas['Problem']).properties.code.enum).toContain(code);
    },
  );

  test('declares every member by which a problem names what it is about', () => {
    type About = [string, typeof submissions.aboutPayment];
    const isAbout = (entry: [string, unknown]): entry is About => entry[0].startsWith('about');
    const subjects = Object.entries({ ...submissions, ...batches }).filter(isAbout);
    expect(subjects.length).toBeGreaterThan(1);
    const problem = z.object({ properties: z.record(z.string(), z.unknown()) });
    const declared = Object.keys(problem.parse(document.components.schemas['Problem']).properties);
    for (const [name, about] of subjects) {
      const members = Object.keys(about('an-id', 'a-key').named);
      expect(members, name).not.toEqual([]);
      expect(declared, name).toEqual(expect.arrayContaining(members));
    }
  });

  test('promises with every payment why its providers were chosen: never null', () => {
    const payment = z.object({
      required: z.array(z.string()),
      properties: z.object({ routing: z.looseObject({ type: z.literal('object') }) }),
    });
    expect(payment.parse(document.components.schemas['Payment']).required).toContain('routing');
  });

  test('equals the checked-in openapi.json, to the byte', async () => {
    const written = readFileSync(new URL('openapi.json', root), 'utf8');
    expect(written).toBe(`${JSON.stringify(openApiDocument(routes), null, 2)}\n`);
    await run(process.execPath, ['workers/write-openapi.ts', '--check'], { cwd: root });
  });
});
