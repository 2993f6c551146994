/**
 * Who may call what, written down by hand beside the code that decides it: an operation that is not named here fails the
 * matrix, and so does one whose permission changed without a word.
 */

/** A permission; `anyone`: nobody needs a key; `known`: every key and user; `people`: users alone. */
export type Access = 'anyone' | 'known' | 'people' | `${string}:${string}`;

export const accessOf: Readonly<Record<string, Access>> = {
  createPayment: 'payments:write',
  listPayments: 'payments:read',
  getPayment: 'payments:read',
  updatePayment: 'payments:write',
  capturePayment: 'payments:write',
  cancelPayment: 'payments:write',
  refundPayment: 'refunds:write',
  listPaymentCaptures: 'payments:read',
  listPaymentRefunds: 'refunds:read',
  listPaymentAttempts: 'payments:read',
  listPaymentEvents: 'payments:read',
  returnPayer: 'anyone',
  getRefund: 'refunds:read',
  getBalance: 'ledger:read',
  listPostings: 'ledger:read',
  listEvents: 'events:read',
  createWebhook: 'webhooks:write',
  listWebhooks: 'webhooks:read',
  receiveProviderEvent: 'anyone',
  resolvePayment: 'resolutions:write',
  resolveRefund: 'resolutions:write',
  listDiscrepancies: 'discrepancies:read',
  closeDiscrepancy: 'discrepancies:write',
  createCustomer: 'customers:write',
  listCustomers: 'customers:read',
  getCustomer: 'customers:read',
  updateCustomer: 'customers:write',
  blankCustomer: 'customers:write',
  getOwnMerchant: 'merchant:read',
  updateOwnMerchant: 'merchant:write',
  createApiKey: 'api_keys:write',
  listApiKeys: 'api_keys:read',
  getApiKey: 'api_keys:read',
  updateApiKey: 'api_keys:write',
  revokeApiKey: 'api_keys:write',
  createTokens: 'anyone',
  refreshTokens: 'anyone',
  revokeToken: 'anyone',
  validateToken: 'known',
  getMe: 'known',
  checkPermissions: 'known',
  cleanUp: 'tokens:cleanup',
  getJwks: 'anyone',
  inviteUser: 'users:write',
  listUsers: 'users:read',
  getUser: 'users:read',
  updateUser: 'users:write',
  acceptInvitation: 'anyone',
  beginTotp: 'people',
  confirmTotp: 'people',
  changePassword: 'people',
  createMerchant: 'merchants:write',
  listMerchants: 'merchants:read',
  getMerchant: 'merchants:read',
  updateMerchant: 'merchants:write',
  listAuditLogs: 'audit_logs:read',
  getVersion: 'anyone',
  health: 'anyone',
  healthLive: 'anyone',
  healthReady: 'anyone',
  healthDetailed: 'system:read',
  getMetrics: 'system:read',
};

/** What a merchant's keys and users do in live mode alone, as both modes share what it changes. */
export const ofLiveMode: ReadonlySet<string> = new Set(['updateOwnMerchant', 'inviteUser', 'updateUser']);

const readers = ['payments:read', 'refunds:read', 'events:read', 'customers:read', 'merchant:read'];
const everything = [
  ...readers,
  'payments:write',
  'refunds:write',
  'ledger:read',
  'webhooks:read',
  'webhooks:write',
  'customers:write',
  'api_keys:read',
  'api_keys:write',
  'users:read',
  'users:write',
  'merchant:write',
];
const everythingOfThePlatform = [
  'merchants:read',
  'merchants:write',
  'resolutions:write',
  'discrepancies:read',
  'discrepancies:write',
  'audit_logs:read',
  'system:read',
  'tokens:cleanup',
];

/** What each role may do. */
export const allowedTo: Readonly<Record<string, readonly string[]>> = {
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
    'api_keys:read',
    'api_keys:write',
    'merchant:read',
  ],
  finance: [...readers, 'refunds:write', 'ledger:read'],
  support: [...readers, 'customers:write'],
  read_only: [...readers, 'ledger:read'],
  operator: everythingOfThePlatform,
  auditor: ['merchants:read', 'discrepancies:read', 'audit_logs:read'],
  /** A merchant's key with all that keys may have. */
  key: everything.filter((permission) => !permission.startsWith('users:')),
};
