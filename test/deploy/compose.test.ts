import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import {
  apiSettings,
  codecServerSettings,
  migrationSettings,
  readSettings,
  workerSettings,
} from '../../runtime/settings.ts';
import { readSettings as readSimulatorSettings } from '../../simulators/settings.ts';
import { type ComposeService, composePath, environmentOf, readCompose, readEnvFile } from '../support/compose.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  version: string;
  scripts: Record<string, string>;
  devDependencies: Record<string, string>;
};
const services = readCompose();
const ours = Object.entries(services).filter(([, service]) => service.build !== undefined);

const folder = mkdtempSync(join(tmpdir(), 'compose-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
function makeEnv(name: string): string {
  const file = join(folder, name);
  execFileSync('sh', [join(root, 'deploy/make-env.sh'), file], { stdio: 'pipe' });
  return file;
}
const envFile = makeEnv('env');
const secrets = readEnvFile(envFile);

describe('docker-compose.yml', () => {
  const candidates = [['docker', 'compose'] as const, ['docker-compose'] as const];
  const program = candidates.find(([command, ...args]) => {
    try {
      return execFileSync(command, [...args, 'version'], { stdio: 'pipe' }).length > 0;
    } catch {
      return false;
    }
  });
  const config = async (variables: string) => {
    const [command = '', ...args] = program ?? [];
    const { PATH } = process.env;
    return run(command, [...args, '-f', composePath, '--env-file', variables, 'config'], {
      cwd: folder,
      env: { PATH },
    });
  };

  test.skipIf(program === undefined)(
    'is accepted by compose itself (needs docker-compose, engine or not)',
    async () => {
      const { stdout } = await config(envFile);
      for (const name of Object.keys(services)) expect(stdout).toContain(`  ${name}:\n`);
      expect(stdout).toContain(secrets['API_KEY_PEPPER']);
    },
  );

  test.skipIf(program === undefined)('is refused without secrets, and says what makes them', async () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    await expect(config(empty)).rejects.toMatchObject({
      stderr: expect.stringContaining('deploy/make-env.sh'),
    });
  });

  test('binds every port of the host to loopback', () => {
    const ports = Object.values(services).flatMap((service) => service.ports);
    expect(ports.length).toBeGreaterThan(3);
    expect(ports.filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port))).toEqual([]);
  });

  test('names exact versions: of images, of Node as the tests have it, and of the product', () => {
    const images = Object.values(services).map(({ image }) => image);
    expect(images.filter((image) => !/^[\w/-]+:\d+\.\d+(\.\d+)?(-[\w.]+)?$/.test(image))).toEqual([]);
    for (const [, { image }] of ours) expect(image).toBe(`payment-orchestrator:${manifest.version}`);
    const bases = [...read('Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(new Set(bases)).toEqual(new Set([`node:${manifest.devDependencies['node']}-bookworm-slim`]));
  });

  test.each(ours)('runs %s by a script of package.json', (_name, { command }) => {
    expect(command.slice(0, 3)).toEqual(['npm', 'run', '--silent']);
    expect(Object.keys(manifest.scripts)).toContain(command[3]);
    expect(command).toHaveLength(4);
  });

  test('gets every secret from the environment and asks for those that make-env.sh writes, no more and no less', () => {
    const given = Object.values(services).flatMap(({ environment }) => Object.entries(environment));
    const open = given.filter(
      ([name, value]) => /PASSWORD|PWD|SECRET|KEY|PEPPER|CLIENT_ID/.test(name) && !value.startsWith('${'),
    );
    expect(open).toEqual([]);
    const asked = given.flatMap(([, value]) => [...value.matchAll(/\$\{(\w+):\?run deploy\/make-env\.sh first\}/g)]);
    expect(new Set(asked.map(([, name]) => name))).toEqual(new Set(Object.keys(secrets)));
  });
});

/** Where Temporal is, as the SDK reads it: https://docs.temporal.io/develop/environment-configuration */
const temporalSettings = ['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE'];

/** What a process reads, and how it refuses what is wrong or missing. */
interface Reader {
  readonly names: readonly string[];
  read(environment: Record<string, string>): unknown;
}

const readerOf = (shape: z.ZodRawShape, more: readonly string[] = []): Reader => ({
  names: [...Object.keys(shape), ...more],
  read: (environment) => readSettings(shape, environment),
});

/** By service. */
const readers: Record<string, Reader> = {
  api: readerOf(apiSettings, temporalSettings),
  worker: readerOf(workerSettings, temporalSettings),
  codec: readerOf(codecServerSettings),
  migrate: readerOf(migrationSettings),
  simulators: { names: namesRead(readSimulatorSettings), read: readSimulatorSettings },
};

/** The names that a function looks up in the environment that it is given, whatever it thinks of an empty one. */
function namesRead(readFrom: (environment: Record<string, string>) => unknown): string[] {
  const names = new Set<string>();
  const get = (_environment: Record<string, string>, name: string) => void names.add(name);
  try {
    readFrom(new Proxy({}, { get }));
  } catch {
    // It has said what it misses, after looking.
  }
  return [...names];
}

describe('what compose gives to', () => {
  test('our processes was looked at for all of them', () => {
    expect(Object.keys(readers).toSorted()).toEqual(ours.map(([name]) => name).toSorted());
  });

  test.each(ours)('%s is known to its settings, and nothing required is missing', (name, service) => {
    const environment = environmentOf(service, secrets);
    expect(Object.keys(environment).filter((variable) => !readers[name]?.names.includes(variable))).toEqual([]);
    expect(() => readers[name]?.read(environment)).not.toThrow();
  });

  test.each(ours)('%s leads to services and ports that are there', (_name, service) => {
    const values = Object.entries(environmentOf(service, secrets));
    const targets = values.flatMap(([name, value]) =>
      [...(name.endsWith('_ADDRESS') ? `//${value}` : value).matchAll(/\/\/(?:\S+@)?([a-z-]+):(\d+)/g)].map(
        ([, host = '', port = '']) => ({ host, port }),
      ),
    );
    for (const { host, port } of targets.filter((target) => target.host !== 'localhost')) {
      const target = services[host];
      expect(target, host).toBeDefined();
      if (target?.build !== undefined) expect(portsOf(target)).toContain(port);
    }
  });

  test.each(ours.filter(([name]) => name !== 'migrate'))(
    '%s is watched at a port that it listens on',
    (_name, service) => {
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(service.healthcheck?.test.join(' ') ?? '') ?? [];
      expect(portsOf(service)).toContain(port);
      for (const published of service.ports) expect(portsOf(service)).toContain(published.split(':').at(-1));
    },
  );
});

/** Where a service of ours listens. */
function portsOf({ environment }: ComposeService): string[] {
  return Object.entries(environment).flatMap(([name, value]) => (name.endsWith('_PORT') ? [value] : []));
}

describe('the file of secrets', () => {
  test('is for its owner’s eyes alone and never the same twice', () => {
    expect(statSync(envFile).mode & 0o777).toBe(0o600);
    const others = readEnvFile(makeEnv('other'));
    expect(Object.keys(others)).toEqual(Object.keys(secrets));
    expect(Object.entries(others).filter(([name, value]) => secrets[name] === value)).toEqual([]);
  });

  test('is never overwritten', () => {
    const before = readFileSync(envFile, 'utf8');
    expect(() => makeEnv('env')).toThrow('stays as it is');
    expect(readFileSync(envFile, 'utf8')).toBe(before);
  });
});

test('the image gets every folder that its sources import, and no secrets', () => {
  const included = [...read('.dockerignore').matchAll(/^!([\w-]+)$/gm)].map(([, name = '']) => name);
  const sources = included.flatMap((name) => sourcesIn(name));
  expect(sources.length).toBeGreaterThan(50);
  const imported = sources.flatMap((path) =>
    [...read(path).matchAll(/from '(\.[^']+)'/g)].map(([, target = '']) =>
      relative(root, join(root, path, '..', target)),
    ),
  );
  expect(imported.filter((path) => !included.some((name) => path.startsWith(`${name}/`)))).toEqual([]);
  expect(
    read('.dockerignore')
      .split('\n')
      .filter((line) => !line.startsWith('#'))[0],
  ).toBe('*');
});

function sourcesIn(name: string): string[] {
  return readdirSync(join(root, name), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('generated'))
    .map((path) => join(name, path));
}
