import { randomInt } from 'node:crypto';
import type { Operation, Schema } from '../fuzz/document.ts';
import type { Canaries, CanaryKind } from './canaries.ts';

/** Of which kind the canary in a member of this name is. */
const kinds: readonly (readonly [name: RegExp, kind: CanaryKind])[] = [
  [/^card_token$/, 'card'],
  [/password|secret|code|token/, 'secret'],
  [/email|phone|^name$|customer_name|display_name/, 'person'],
  [/evidence|reason/, 'decision'],
  [/external_id|customer_id/, 'id'],
  [/description|metadata|url/, 'words'],
];

/** Of what has a name and is nobody. */
const ofThings = /Plan$|TestClock$/;

/** Members whose form leaves no room for a canary, with values that are taken. */
const fixed: Readonly<Record<string, unknown>> = {
  amount: '1.00',
  currency: 'USD',
  sign_up_fee: '0',
  currencies: ['USD', 'EUR'],
  card_exp_month: 12,
  card_exp_year: 2099,
  is_test: true,
  time_zone: 'Europe/Berlin',
  permissions: ['payments:read'],
  event_types: ['payment.captured'],
  ip_whitelist: [],
  ip_blacklist: [],
  schedule: [1],
  from: '00:00',
  to: '24:00',
  totp_code: '123456',
  grant: 'password',
  attempts_max: 2,
};

/** What must not stand beside the rest. */
const leftOut: ReadonlySet<string> = new Set(['recovery_code', 'capture_id', 'test_clock_id', 'trial_days']);

/** How much a filled request minds what it is filled with: `fitting` passes most schemas, `raw` is a canary wherever a text is. */
export type Style = 'fitting' | 'raw';

/** Fills bodies, parameters and headers with canaries. */
export interface Filler {
  /** A body for the operation; undefined: it takes none. */
  bodyOf(operation: Operation): unknown;
  /** A canary for a parameter or header of this name. */
  text(name: string, from: string, kind?: CanaryKind): string;
}

/** Makes a filler; what it makes is remembered in `canaries`. `named` are members that must name what is there. */
export function createFiller(canaries: Canaries, style: Style, named: Readonly<Record<string, unknown>> = {}): Filler {
  const text = (name: string, from: string, kind: CanaryKind = kindOf(name, 'stray')) =>
    canaries.make(kind, `${from} ${name}`);

  /** Of a country that there is not. */
  const phone = (from: string) => {
    const number = `+999${randomInt(1e10, 9e10)}`;
    canaries.adopt(number, 'person', `${from} phone`);
    return number;
  };

  /** Of all settings only rules of routing have room for words. */
  const settings = (from: string) => {
    const word = () => text('settings', from, 'words');
    const rules = [{ when: { methods: [word()], brands: [word(), word()] }, providers: ['easypay'] }];
    return { wait: 2, routing: { rules, default: ['easypay'] } };
  };

  const stringOf = (schema: Schema, name: string, from: string): string => {
    const isFitting = style === 'fitting';
    const [word] = schema.enum ?? [schema.const];
    if (isFitting && typeof word === 'string') return word;
    if (isFitting && schema.format === 'date-time') return new Date(Date.now() + 3_600_000).toISOString();
    if (isFitting && name === 'phone') return phone(from);
    const kind = name === 'name' && ofThings.test(from) ? 'words' : kindOf(name, 'words');
    const canary = text(name, from, kind);
    if (name === 'card_token') return `tok_visa_${canary}`;
    if (schema.format === 'email' || name === 'email') return `${canary}@canary.example`;
    return name.endsWith('url') && isFitting ? `http://127.0.0.1:9/${canary}?with=${canary}` : canary;
  };

  const objectOf = ({ properties, additionalProperties }: Schema, from: string): Record<string, unknown> => {
    const wanted = Object.entries(properties ?? {}).filter(([name]) => style === 'raw' || !leftOut.has(name));
    const known = wanted.map(([name, member]) => [name, valueOf(member, name, from)] as const);
    const isOpen = properties === undefined && additionalProperties !== false;
    return Object.fromEntries(isOpen ? [[text('metadata', from), text('metadata', from)]] : known);
  };

  const valueOf = (schema: Schema, name: string, from: string): unknown => {
    if (style === 'fitting' && Object.hasOwn(named, name)) return named[name];
    const isInstant = schema.format === 'date-time'; // whose `to` is no time of day
    if (style === 'fitting' && Object.hasOwn(fixed, name) && !isInstant) return fixed[name];
    if (style === 'fitting' && name === 'settings') return settings(from);
    const [one] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [];
    if (one !== undefined && schema.type === undefined) return valueOf(one, name, from);
    switch (typeof schema.type === 'string' ? schema.type : schema.type?.[0]) {
      case 'object':
        return objectOf(schema, from);
      case 'array':
        return [valueOf(schema.items ?? { type: 'string' }, name, from)];
      case 'boolean':
        return false;
      case 'integer':
      case 'number':
        return Math.max(schema.minimum ?? 1, 1);
      default:
        return stringOf(schema, name, from);
    }
  };

  return { text, bodyOf: ({ body, id }) => (body === null ? undefined : valueOf(body, '', id)) };
}

function kindOf(name: string, otherwise: CanaryKind): CanaryKind {
  return kinds.find(([pattern]) => pattern.test(name))?.[1] ?? otherwise;
}
