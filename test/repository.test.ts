import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createCodec } from '../runtime/codec.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
};
const lock = JSON.parse(read('package-lock.json')) as {
  packages: Record<string, { version?: string; resolved?: string; hasInstallScript?: boolean }>;
};
const pages = ['README.md', 'SECURITY.md', 'CHANGELOG.md', ...markdownIn('docs')];

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}

test.each(pages)('%s links only to files that exist', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? '');
  const broken = links.filter((link) => !existsSync(join(root, dirname(page), link)));
  expect(broken).toEqual([]);
});

/** What a link may name of a page: its headings, as they are named in addresses. */
function anchorsOf(page: string): string[] {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map((match) => match[1] ?? '');
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(pages)('%s links only to headings that exist', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*\.md)?#([^)]+)\)/g)];
  const broken = links.filter(([, path = '', anchor = '']) => {
    const target = path === '' ? page : join(dirname(page), path);
    return !anchorsOf(target).includes(anchor);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

test('every npm command that the docs name exists', () => {
  const named = pages.flatMap((page) => [...read(page).matchAll(/npm run ([a-z:-]+)/g)].map((match) => match[1] ?? ''));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !(name in manifest.scripts))).toEqual([]);
});

test('every direct dependency has an exact version and its line in the README', () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies };
  const loose = Object.entries(all).filter(
    ([, version]) => !/^(npm:[^@]*@?[^@]+@)?\d+\.\d+\.\d+[\w.-]*$/.test(version),
  );
  expect(loose).toEqual([]);
  const readme = read('README.md');
  const isNamed = (name: string) =>
    readme.includes(name) || (name.startsWith('@temporalio/') && readme.includes('@temporalio/*'));
  expect(Object.keys(all).filter((name) => !name.startsWith('@types/') && !isNamed(name))).toEqual([]);
});

test('the lock file names no registry host', () => {
  expect(Object.entries(lock.packages).filter(([, entry]) => entry.resolved?.startsWith('http'))).toEqual([]);
});

test('every package with an install script is on the allow-list, with yes or no', () => {
  const withScripts = Object.entries(lock.packages)
    .filter(([, entry]) => entry.hasInstallScript)
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
    .filter((name) => name !== '');
  expect(withScripts.length).toBeGreaterThan(3);
  expect(withScripts.filter((name) => !(name in manifest.allowScripts))).toEqual([]);
});

test('Temporal’s packages have one version, and one copy of protobufjs 8', async () => {
  const versions = Object.entries(lock.packages).filter(([path]) => /node_modules\/@temporalio\/[^/]+$/.test(path));
  expect(new Set(versions.map(([, entry]) => entry.version))).toEqual(new Set(['1.24.0']));
  expect(lock.packages['node_modules/protobufjs']?.version).toMatch(/^8\./);
  expect(
    Object.keys(lock.packages).filter((path) => /@temporalio\/[^/]+\/node_modules\/protobufjs/.test(path)),
  ).toEqual([]);
  const codec = createCodec(new Map([['k', Buffer.alloc(32)]]));
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('1') };
  const [decoded] = await codec.decode(await codec.encode([payload]));
  expect(Buffer.from(decoded?.data ?? []).toString()).toBe('1');
});

test('the changelog speaks of safety, features and internals', () => {
  expect(read('CHANGELOG.md')).toMatch(/### Safety[\s\S]*### Features[\s\S]*### Internals/);
});

test('the project speaks of itself alone: no paths of a machine, no registry hosts', () => {
  const hits = pages.filter((page) => /\/work\/|\/root\/|registry\.npmjs/.test(read(page)));
  expect(hits).toEqual([]);
});
