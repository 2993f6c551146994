import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** An authority of a test's own with a server's certificate, as files in PEM. */
export interface Certificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Makes an authority and a certificate for a server with these names, like `DNS:localhost` or `IP:127.0.0.1`, in a new folder. */
export function makeCertificates(folder: string, names: readonly string[]): Certificates {
  mkdirSync(folder);
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const authority = [
    '-keyout',
    path('authority.key'),
    '-out',
    path('authority.pem'),
    '-subj',
    '/CN=authority of a test',
  ];
  openssl('req', '-x509', ...newKey, ...authority);
  const issuer = ['-CA', path('authority.pem'), '-CAkey', path('authority.key')];
  const server = ['-keyout', path('server.key'), '-out', path('server.pem'), '-subj', '/CN=server of a test'];
  openssl('req', '-x509', ...newKey, ...issuer, ...server, '-addext', `subjectAltName=${names.join(',')}`);
  return { authority: path('authority.pem'), certificate: path('server.pem'), key: path('server.key') };
}
