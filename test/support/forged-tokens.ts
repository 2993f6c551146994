import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** What a forger may know: a good token and everything public about it. For the strictest tests, the signing key too. */
export interface Target {
  readonly token: string;
  /** The key of the issuer, which signs whatever a test wants: then only what is said can be wrong, and not who says it. */
  readonly privateKey: KeyObject;
}

/** How a forged token comes about, and what must be said of it. */
export interface Forgery {
  readonly name: string;
  readonly make: (target: Target) => string;
  /** `expired`: it is ours and right, and nothing but too old. */
  readonly verdict: 'refused' | 'expired';
}

type Members = Readonly<Record<string, unknown>>;

const encode = (value: string | Uint8Array) => Buffer.from(value).toString('base64url');
const partsOf = ({ token }: Target) => {
  const [header = '', payload = '', signature = ''] = token.split('.');
  return { header, payload, signature };
};
const read = (part: string): Members => JSON.parse(Buffer.from(part, 'base64url').toString()) as Members;
const secondsNow = () => Math.floor(Date.now() / 1_000);

/** A token of these texts as they are, signed with Ed25519. */
function signedTexts(header: string, payload: string | Uint8Array, key: KeyObject): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${encode(sign(null, Buffer.from(input), key))}`;
}

/** The good token's members with changes (undefined: without it), signed with the issuer's own key unless told otherwise. */
function changed(
  target: Target,
  { header = {}, claims = {} }: { readonly header?: Members; readonly claims?: Members },
  key: KeyObject = target.privateKey,
): string {
  const parts = partsOf(target);
  const text = (part: string, changes: Members) => JSON.stringify({ ...read(part), ...changes });
  return signedTexts(text(parts.header, header), text(parts.payload, claims), key);
}

/** The good payload under another algorithm, signed as `by` does it. */
function under(target: Target, header: Members, by: (input: Buffer) => Uint8Array): string {
  const { payload, header: good } = partsOf(target);
  const input = `${encode(JSON.stringify({ ...read(good), ...header }))}.${payload}`;
  return `${input}.${encode(by(Buffer.from(input)))}`;
}

const another = generateKeyPairSync('ed25519');
const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });

const hmac = (key: string | Uint8Array) => (input: Buffer) => createHmac('sha256', key).update(input).digest();
const publicOf = ({ privateKey }: Target) => createPublicKey(privateKey);
const rawPublicOf = (target: Target) => Buffer.from(publicOf(target).export({ format: 'jwk' }).x ?? '', 'base64url');
const anotherJwk = another.publicKey.export({ format: 'jwk' });
const nothing = () => new Uint8Array();

const algorithms: Readonly<Record<string, (target: Target) => string>> = {
  ...Object.fromEntries(
    ['none', 'None', 'NONE', 'nOnE', ' none', ''].map((alg) => [
      `alg "${alg}" and no signature`,
      (target: Target) => under(target, { alg }, nothing),
    ]),
  ),
  'alg none under the good signature': (target) =>
    under(target, { alg: 'none' }, () => Buffer.from(partsOf(target).signature, 'base64url')),
  'alg none, signed with the right key': (target) => changed(target, { header: { alg: 'none' } }),
  'no alg': (target) => changed(target, { header: { alg: undefined } }),
  'alg null': (target) => changed(target, { header: { alg: null } }),
  'alg as a list': (target) => changed(target, { header: { alg: ['EdDSA'] } }),
  'alg in lower case': (target) => changed(target, { header: { alg: 'eddsa' } }),
  'the other name of the algorithm': (target) => changed(target, { header: { alg: 'Ed25519' } }),
  'alg twice in the header': (target) => {
    const { header, payload } = partsOf(target);
    const text = JSON.stringify(read(header)).replace('{', '{"alg":"none",');
    return signedTexts(text, Buffer.from(payload, 'base64url'), target.privateKey);
  },
  'HS256 with the raw public key as the secret': (target) => under(target, { alg: 'HS256' }, hmac(rawPublicOf(target))),
  'HS256 with the PEM of the public key as the secret': (target) =>
    under(target, { alg: 'HS256' }, hmac(publicOf(target).export({ format: 'pem', type: 'spki' }))),
  'HS256 with the DER of the public key as the secret': (target) =>
    under(target, { alg: 'HS256' }, hmac(publicOf(target).export({ format: 'der', type: 'spki' }))),
  'HS256 with the JWK of the public key as the secret': (target) =>
    under(target, { alg: 'HS256' }, hmac(JSON.stringify(publicOf(target).export({ format: 'jwk' })))),
  'HS256 with an empty secret': (target) => under(target, { alg: 'HS256' }, hmac('')),
  ES256: (target) =>
    under(target, { alg: 'ES256' }, (input) =>
      sign('sha256', input, { key: elliptic.privateKey, dsaEncoding: 'ieee-p1363' }),
    ),
  'ES256 with a signature of zeros': (target) => under(target, { alg: 'ES256' }, () => new Uint8Array(64)),
  RS256: (target) => under(target, { alg: 'RS256' }, (input) => sign('sha256', input, rsa.privateKey)),
};

const keys: Readonly<Record<string, (target: Target) => string>> = {
  'another Ed25519 key': (target) => changed(target, {}, another.privateKey),
  'an unknown kid': (target) => changed(target, { header: { kid: 'unknown' } }),
  'no kid': (target) => changed(target, { header: { kid: undefined } }),
  'an empty kid': (target) => changed(target, { header: { kid: '' } }),
  'a number as kid': (target) => changed(target, { header: { kid: 0 } }),
  'a list as kid': (target) => changed(target, { header: { kid: [read(partsOf(target).header)['kid']] } }),
  ...Object.fromEntries(
    [
      '../../../../dev/null',
      '/proc/self/environ',
      "' OR '1'='1",
      "x' UNION SELECT 'key' --",
      '__proto__',
      'constructor',
      'https://example.com/key.pem',
      'test\u0000',
      'TEST',
      '$(id)',
    ].map((kid) => [`the kid ${JSON.stringify(kid)}`, (target: Target) => changed(target, { header: { kid } })]),
  ),
  'a jwk of the forger in the header, signed with it': (target) =>
    changed(target, { header: { jwk: anotherJwk } }, another.privateKey),
  'a jwk of the forger instead of the kid': (target) =>
    changed(target, { header: { jwk: anotherJwk, kid: undefined } }, another.privateKey),
  'a jwk in the header, signed with the right key': (target) => changed(target, { header: { jwk: anotherJwk } }),
  'a jku': (target) => changed(target, { header: { jku: 'https://example.com/jwks.json' } }, another.privateKey),
  'an x5u': (target) => changed(target, { header: { x5u: 'https://example.com/chain.pem' } }, another.privateKey),
  'an x5c': (target) => changed(target, { header: { x5c: ['MIIB'] } }, another.privateKey),
};

const headers: Readonly<Record<string, (target: Target) => string>> = {
  'typ JWT': (target) => changed(target, { header: { typ: 'JWT' } }),
  'typ of another kind of token': (target) => changed(target, { header: { typ: 'dpop+jwt' } }),
  'typ in another spelling': (target) => changed(target, { header: { typ: 'AT+JWT' } }),
  'no typ': (target) => changed(target, { header: { typ: undefined } }),
  'a cty': (target) => changed(target, { header: { cty: 'JWT' } }),
  'an unknown critical extension': (target) => changed(target, { header: { crit: ['extra'], extra: true } }),
  'a critical claim': (target) => changed(target, { header: { crit: ['exp'] } }),
  'no critical extension at all': (target) => changed(target, { header: { crit: [] } }),
  'a payload that is not encoded': (target) => {
    const { header, payload } = partsOf(target);
    const text = encode(JSON.stringify({ ...read(header), b64: false, crit: ['b64'] }));
    const clear = Buffer.from(payload, 'base64url').toString().replaceAll('.', '');
    return `${text}.${clear}.${encode(sign(null, Buffer.from(`${text}.${clear}`), target.privateKey))}`;
  },
  'b64 true': (target) => changed(target, { header: { b64: true, crit: ['b64'] } }),
  'a compressed payload': (target) => changed(target, { header: { zip: 'DEF' } }),
  'a header that is no object': (target) => {
    const payload = Buffer.from(partsOf(target).payload, 'base64url');
    return signedTexts('["EdDSA"]', payload, target.privateKey);
  },
  'a header with other spaces': (target) => {
    const { header, payload } = partsOf(target);
    return signedTexts(JSON.stringify(read(header), null, 1), Buffer.from(payload, 'base64url'), target.privateKey);
  },
};

const claimed = (claims: () => Members) => (target: Target) => changed(target, { claims: claims() });

const claims: Readonly<Record<string, (target: Target) => string>> = {
  'another issuer': claimed(() => ({ iss: 'https://example.com' })),
  'the issuer in capitals': claimed(() => ({ iss: 'PAYMENT-ORCHESTRATOR' })),
  'a list of issuers': claimed(() => ({ iss: ['payment-orchestrator'] })),
  'no issuer': claimed(() => ({ iss: undefined })),
  'another audience': claimed(() => ({ aud: 'another-service' })),
  'a list with our audience': claimed(() => ({ aud: ['payment-orchestrator'] })),
  'a list with our audience and another': claimed(() => ({ aud: ['another-service', 'payment-orchestrator'] })),
  'no audience': claimed(() => ({ aud: undefined })),
  'no exp': claimed(() => ({ exp: undefined })),
  'exp as a text': claimed(() => ({ exp: String(secondsNow() + 600) })),
  'exp null': claimed(() => ({ exp: null })),
  'exp with a fraction': claimed(() => ({ exp: secondsNow() + 600.5 })),
  'exp without end': (target) => {
    const { header, payload } = partsOf(target);
    const text = JSON.stringify(read(payload)).replace(/"exp":\d+/, '"exp":1e999');
    return signedTexts(JSON.stringify(read(header)), text, target.privateKey);
  },
  'exp in milliseconds': claimed(() => ({ exp: Date.now() + 600_000 })),
  'exp a second further than a token lives': claimed(() => ({ iat: secondsNow(), exp: secondsNow() + 901 })),
  'exp in a year': claimed(() => ({ exp: secondsNow() + 31_536_000 })),
  'an old token with a later exp': claimed(() => ({ iat: secondsNow() - 3_600, exp: secondsNow() + 600 })),
  'exp past, and lived too long': claimed(() => ({ iat: secondsNow() - 7_200, exp: secondsNow() - 3_600 })),
  'exp past, and another issuer': claimed(() => ({ ...past(), iss: 'https://example.com' })),
  'exp past, and another subject’s form': claimed(() => ({ ...past(), sub: 'admin' })),
  'exp past, and another audience beside ours': claimed(() => ({ ...past(), aud: ['payment-orchestrator'] })),
  'exp past, and before iat': claimed(() => ({ iat: secondsNow() - 50, exp: secondsNow() - 100 })),
  'exp past, and another key': (target) => changed(target, { claims: past() }, another.privateKey),
  'iat in the future': claimed(() => ({ iat: secondsNow() + 60, exp: secondsNow() + 600 })),
  'no iat': claimed(() => ({ iat: undefined })),
  'iat as a text': claimed(() => ({ iat: String(secondsNow()) })),
  'nbf in the future': claimed(() => ({ nbf: secondsNow() + 60 })),
  'nbf as a text': claimed(() => ({ nbf: 'now' })),
  'no sub': claimed(() => ({ sub: undefined })),
  'an empty sub': claimed(() => ({ sub: '' })),
  'sub of another kind': claimed(() => ({ sub: `opk_${'0'.repeat(16)}` })),
  'sub as a list': (target) => changed(target, { claims: { sub: [read(partsOf(target).payload)['sub']] } }),
  'sub with SQL': claimed(() => ({ sub: "usr_' OR '1'='1" })),
  'sub with a line end': (target) =>
    changed(target, { claims: { sub: `${String(read(partsOf(target).payload)['sub'])}\n` } }),
  'no sid': claimed(() => ({ sid: undefined })),
  'sid of another form': claimed(() => ({ sid: 'ses_1' })),
  'sid as an object': claimed(() => ({ sid: { toString: 'ses' } })),
  'sid with SQL': claimed(() => ({ sid: "ses_' OR '1'='1" })),
};

const past = () => ({ iat: secondsNow() - 1_000, exp: secondsNow() - 100 });

const payloads: Readonly<Record<string, (target: Target) => string>> = {
  'a member twice, the wrong one first': (target) =>
    reworded(target, (text) => text.replace('{', '{"sub":"usr_00000000",')),
  'a member twice, the wrong one last': (target) => reworded(target, (text) => text.replace(/\}$/, ',"sid":"ses_0"}')),
  'the same member twice': (target) => reworded(target, (text) => text.replace('{', '{"iss":"payment-orchestrator",')),
  'a payload with other spaces': (target) => reworded(target, (text) => text.replaceAll(',', ', ')),
  'a payload behind a byte order mark': (target) => reworded(target, (text) => `\uFEFF${text}`),
  'a payload that is a list': (target) => reworded(target, (text) => `[${text}]`),
  'a payload that is a text': (target) => reworded(target, (text) => JSON.stringify(text)),
  'a payload that is null': (target) => reworded(target, () => 'null'),
  'an empty payload': (target) => reworded(target, () => ''),
  'a payload that is no JSON': (target) => reworded(target, () => 'sub=usr_00000000'),
  'a payload that is no UTF-8': (target) => {
    const { header } = partsOf(target);
    return signedTexts(JSON.stringify(read(header)), Buffer.from([0x7b, 0xff, 0x7d]), target.privateKey);
  },
  'another payload under the good signature': (target) => {
    const { header, payload, signature } = partsOf(target);
    const text = JSON.stringify({ ...read(payload), sub: 'usr_00000000' });
    return `${header}.${encode(text)}.${signature}`;
  },
};

/** The good header with another text for a payload, rightly signed. */
function reworded(target: Target, change: (payload: string) => string): string {
  const { header, payload } = partsOf(target);
  const text = change(Buffer.from(payload, 'base64url').toString());
  return signedTexts(JSON.stringify(read(header)), text, target.privateKey);
}

const resigned = (change: (signature: Buffer) => Uint8Array) => (target: Target) => {
  const { header, payload, signature } = partsOf(target);
  return `${header}.${payload}.${encode(change(Buffer.from(signature, 'base64url')))}`;
};

/** The order of Ed25519's group: a verifier that does not look takes S and S + L for the same (RFC 8032, 8.4). */
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

const signatures: Readonly<Record<string, (target: Target) => string>> = {
  'no signature': resigned(() => new Uint8Array()),
  'a cut signature': resigned((signature) => signature.subarray(0, 63)),
  'half a signature': resigned((signature) => signature.subarray(0, 32)),
  'a signature with a byte more': resigned((signature) => Buffer.concat([signature, Buffer.alloc(1)])),
  'a signature of zeros': resigned(() => new Uint8Array(64)),
  'a signature of chance': resigned(() => randomBytes(64)),
  'a signature whose halves are swapped': resigned((signature) =>
    Buffer.concat([signature.subarray(32), signature.subarray(0, 32)]),
  ),
  'a signature with one bit changed': resigned((signature) => {
    const other = Buffer.from(signature);
    other[0] = (other[0] ?? 0) ^ 1;
    return other;
  }),
  'a signature whose S is S + L': resigned((signature) => {
    const reversed = Buffer.from(signature.subarray(32).toReversed());
    const grown = BigInt(`0x${reversed.toString('hex')}`) + groupOrder;
    const bytes = Buffer.from(grown.toString(16).padStart(64, '0'), 'hex').toReversed();
    return Buffer.concat([signature.subarray(0, 32), bytes]);
  }),
  'the signature of another token': (target) => {
    const [header, payload] = target.token.split('.');
    const other = changed(target, { claims: { exp: secondsNow() + 500 } });
    return `${header}.${payload}.${other.split('.')[2]}`;
  },
};

const forms: Readonly<Record<string, (target: Target) => string>> = {
  'nothing at all': () => '',
  'dots alone': () => '..',
  'no header': (target) => target.token.slice(target.token.indexOf('.')),
  'a dot in front': (target) => `.${target.token}`,
  'a dot behind': (target) => `${target.token}.`,
  'a fourth part': (target) => `${target.token}.${partsOf(target).signature}`,
  'two parts': (target) => target.token.split('.').slice(0, 2).join('.'),
  'one part': (target) => partsOf(target).payload,
  'two tokens with a comma': (target) => `${target.token},${target.token}`,
  'the form of a JWE': () =>
    [JSON.stringify({ alg: 'dir', enc: 'A256GCM' }), '', randomBytes(12), randomBytes(40), randomBytes(16)]
      .map(encode)
      .join('.'),
  'a JWS as JSON': (target) => {
    const { header, payload, signature } = partsOf(target);
    return JSON.stringify({ payload, protected: header, signature });
  },
  padding: (target) => `${target.token}==`,
  'padding of each part': (target) => target.token.replaceAll('.', '=.'),
  'idle bits at the end': (target) => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(target.token.slice(-1));
    return `${target.token.slice(0, -1)}${alphabet[last + 1]}`; // the last four bits stand for nothing
  },
  'a letter of another alphabet': (target) => target.token.replace('e', 'е'),
  'a letter that is not base64url': (target) => `${target.token.slice(0, -4)}%2B`,
  'a space within': (target) => target.token.replace('.', ' .'),
  'a tab within': (target) => target.token.replace('.', '.\t'),
  'lower case': (target) => target.token.toLowerCase(),
  'a huge token': (target) => changed(target, { claims: { extra: 'x'.repeat(6_000) } }),
  'a refresh token': () => `por_${'0'.repeat(58)}`,
};

const refused = [algorithms, keys, headers, claims, payloads, signatures, forms].flatMap((group) =>
  Object.entries(group).map(([name, make]): Forgery => ({ name, make, verdict: 'refused' })),
);

/** No forgery: the good token with a member that nobody asked for, as a later release may write it. */
export function withMore(target: Target): string {
  return changed(target, { claims: { scope: 'payments' } });
}

/** Tokens that must open nothing, each wrong in its own way. */
export const forgeries: readonly Forgery[] = [
  ...refused,
  { name: 'exp past, and nothing else', make: (target) => changed(target, { claims: past() }), verdict: 'expired' },
];
