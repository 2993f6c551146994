/** What may be allowed within one merchant, to its keys and users. */
export const merchantPermissions = {
  'payments:read': 'read payments',
  'payments:write': 'create, change, capture and cancel payments',
  'refunds:read': 'read refunds',
  'refunds:write': 'refund payments',
  'ledger:read': 'read the balance and the ledger',
  'events:read': 'read events',
  'webhooks:read': 'read webhook endpoints',
  'webhooks:write': 'create webhook endpoints',
  'customers:read': 'read customers',
  'customers:write': 'create, change and blank customers',
  'plans:read': 'read plans',
  'plans:write': 'create, change and archive plans',
  'subscriptions:read': 'read subscriptions',
  'subscriptions:write': 'create, change, pause and cancel subscriptions',
  'invoices:read': 'read invoices',
  'batches:read': 'read batches and their results',
  'batches:write': 'start and steer batches; what their rows make needs its own permission too',
  'test_clocks:read': 'read test clocks',
  'test_clocks:write': 'create and advance test clocks',
  'api_keys:read': 'read API keys, without their secrets',
  'api_keys:write': 'create, change and revoke API keys',
  'users:read': 'read the merchant’s users',
  'users:write': 'invite, change and suspend the merchant’s users',
  'merchant:read': 'read the merchant and its settings',
  'merchant:write': 'change the merchant’s settings',
} as const;

/** What may be allowed to those who act for the platform, across all merchants. */
export const platformPermissions = {
  'merchants:read': 'read all merchants',
  'merchants:write': 'create, change and suspend merchants',
  'resolutions:write': 'decide what nobody could learn the outcome of',
  'discrepancies:read': 'read discrepancies',
  'discrepancies:write': 'close discrepancies',
  'audit_logs:read': 'search the log of API calls',
  'system:read': 'read detailed health and metrics',
  'tokens:cleanup': 'remove what has expired',
} as const;

/** One of what may be allowed within a merchant. */
export type MerchantPermission = keyof typeof merchantPermissions;
/** One of what may be allowed across all merchants. */
export type PlatformPermission = keyof typeof platformPermissions;

/** What each permission allows, in words. */
export const permissions: Readonly<Record<MerchantPermission | PlatformPermission, string>> = {
  ...merchantPermissions,
  ...platformPermissions,
};

const everything = Object.keys(merchantPermissions).filter(isMerchantPermission);

/** What keys may be given: people are managed by people. */
export const keyPermissions = everything.filter((permission) => !permission.startsWith('users:'));

/** What each role of a merchant's users allows. */
export const merchantRoles = {
  owner: everything,
  admin: everything,
  developer: [
    'payments:read',
    'payments:write',
    'refunds:read',
    'ledger:read',
    'events:read',
    'webhooks:read',
    'webhooks:write',
    'customers:read',
    'plans:read',
    'plans:write',
    'subscriptions:read',
    'subscriptions:write',
    'invoices:read',
    'batches:read',
    'batches:write',
    'test_clocks:read',
    'test_clocks:write',
    'api_keys:read',
    'api_keys:write',
    'merchant:read',
  ],
  finance: [
    'payments:read',
    'refunds:read',
    'refunds:write',
    'ledger:read',
    'events:read',
    'customers:read',
    'plans:read',
    'subscriptions:read',
    'invoices:read',
    'batches:read',
    'merchant:read',
  ],
  support: [
    'payments:read',
    'refunds:read',
    'events:read',
    'customers:read',
    'customers:write',
    'plans:read',
    'subscriptions:read',
    'subscriptions:write',
    'invoices:read',
    'merchant:read',
  ],
  read_only: [
    'payments:read',
    'refunds:read',
    'ledger:read',
    'events:read',
    'customers:read',
    'plans:read',
    'subscriptions:read',
    'invoices:read',
    'batches:read',
    'merchant:read',
  ],
} as const satisfies Record<string, readonly MerchantPermission[]>;

/** What each role of the platform's own people allows. */
export const platformRoles = {
  operator: Object.keys(platformPermissions).filter(isPlatformPermission),
  auditor: ['merchants:read', 'discrepancies:read', 'audit_logs:read'],
} as const satisfies Record<string, readonly PlatformPermission[]>;

/** What a stored role allows; a role that this release does not know allows nothing. */
export function permissionsOfRole(role: string): readonly string[] {
  const roles: Readonly<Record<string, readonly string[]>> = { ...merchantRoles, ...platformRoles };
  return Object.hasOwn(roles, role) ? (roles[role] ?? []) : [];
}

function isMerchantPermission(text: string): text is MerchantPermission {
  return Object.hasOwn(merchantPermissions, text);
}

/** Whether it is a permission of the platform's; any other belongs to merchants. */
export function isPlatformPermission(text: string): text is PlatformPermission {
  return Object.hasOwn(platformPermissions, text);
}
