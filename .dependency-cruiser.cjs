/**
 * The import table: calls go one way, `api → workflows → activities → providers | prisma`. Each folder may import what
 * its line says, and nothing else. `.ci/check-imports.ts` runs this and makes sure that it saw the modules at all.
 */
const packages = (...names) => names.map((name) => `node_modules/${name}/`);

const table = {
  'workflows/domain': {
    folders: ['workflows/domain'],
    packages: ['@noble/hashes'],
    node: false,
    not: 'workflows/domain/billing',
  },
  'workflows/domain/billing': { folders: ['workflows/domain'], packages: ['temporal-polyfill'], node: false },
  workflows: {
    folders: ['workflows'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
    node: false,
    not: 'workflows/domain',
  },
  'activities/providers': { folders: ['activities/providers', 'workflows/domain'], packages: ['undici', 'zod'] },
  activities: {
    folders: ['activities', 'workflows', 'prisma', 'runtime'],
    packages: ['@temporalio/activity', '@temporalio/client'],
    not: 'activities/(providers|notifications)',
  },
  'activities/notifications': {
    folders: ['activities', 'workflows/domain', 'prisma', 'runtime'],
    packages: ['standardwebhooks', 'undici', 'nodemailer', 'eta'],
  },
  prisma: {
    folders: ['prisma', 'workflows/domain', 'workflows/[a-z-]*ports.ts'],
    packages: ['@prisma/[^/]+', 'prisma', 'pg', 'zod'],
  },
  runtime: {
    folders: ['runtime', 'workflows/contract.ts', 'workflows/domain'],
    packages: [
      '@temporalio/(client|common|envconfig|proto)',
      'pino',
      'prom-client',
      'ipaddr.js',
      'zod',
      'jose',
      'otpauth',
      'ioredis',
    ],
  },
  api: {
    folders: [
      'api',
      'workflows/[a-z-]*(contract|ports).ts',
      'workflows/domain',
      'prisma',
      'runtime',
      'activities/providers/(events-index|provider-events|provider).ts', // to know providers' events by their signatures
    ],
    packages: ['express', 'cors', 'zod', '@asteasolutions/zod-to-openapi', 'csv-parse'],
    not: 'api/temporal',
  },
  'api/temporal': {
    folders: ['api/temporal', 'workflows/[a-z-]*(contract|ports).ts', 'workflows/domain', 'runtime/grpc.ts'],
    packages: ['@temporalio/client'],
  },
  simulators: { folders: ['simulators'], packages: ['express', 'zod', 'smtp-server', 'postal-mime'] },
};

const rules = Object.entries(table).map(([folder, { folders, packages: names, node = true, not }]) => ({
  name: `imports-of-${folder.replaceAll(/[^a-z]+/g, '-')}`,
  comment: `${folder}/ may import ${[...folders, ...names].join(', ')}${node ? ' and Node' : ''}.`,
  severity: 'error',
  from: { path: `^${folder}`, ...(not ? { pathNot: `^${not}` } : {}) },
  to: {
    pathNot: [...folders.map((name) => `^${name}`), ...packages(...names)],
    ...(node ? { dependencyTypesNot: ['core'] } : {}),
  },
}));

module.exports = {
  forbidden: [
    ...rules,
    {
      name: 'billing-in-activities-alone',
      comment: 'Workflows know types of billing only: no history depends on a table of time zones.',
      severity: 'error',
      from: { path: '^workflows/', pathNot: '^workflows/domain/billing/' },
      to: { path: '^workflows/domain/billing/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'entry-points-are-roots',
      comment: 'Processes are composition roots: nobody imports them.',
      severity: 'error',
      from: { pathNot: '^(workers|test|bench|campaign)' },
      to: { path: '^(workers|bench|campaign|test)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(prisma/generated|dist|\\.data)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
