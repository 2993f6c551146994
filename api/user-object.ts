import { z } from 'zod';
import type { UserRow } from '../prisma/users.ts';
import { merchantRoles, platformRoles } from './permissions.ts';
import { requireForm } from './require-form.ts';
import { words } from './text.ts';

const instant = z.iso.datetime();
const mailLengthMax = 254;

/** A role of a merchant's users. */
export const merchantRole = z.enum(Object.keys(merchantRoles) as [keyof typeof merchantRoles]);

/** What people are called by. */
export const userFields = {
  email: z.email().max(mailLengthMax),
  name: words(200),
};

/** A user as those see them who manage users, and they themselves. */
export const userSchema = z
  .object({
    id: z.string(),
    email: z.string(),
    name: z.string().nullable(),
    role: z.enum([...Object.keys(merchantRoles), ...Object.keys(platformRoles)] as [string]),
    status: z.enum(['invited', 'active', 'suspended']),
    has_totp: z.boolean().describe('Whether logins need a code of an authenticator'),
    invited_by: z.string().describe('`user:…`, `api_key:…`, or the platform'),
    invitation_expires_at: instant.nullable().describe('Null: there is no invitation to accept'),
    last_login_at: instant.nullable(),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'User' });

/** The same with the invitation, for the answer to the request that made it alone. */
export const invitedUserSchema = userSchema
  .extend({
    invitation_token: z
      .string()
      .optional()
      .describe('`poi_…`, for 7 days: hand it to the person. Shown this once: absent from the answer to a repeat'),
  })
  .meta({ id: 'InvitedUser' });

/** A row as the wire has it. */
export function toUserObject(row: UserRow): z.infer<typeof userSchema> {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    status: row.status === 'invited' || row.status === 'active' ? row.status : 'suspended',
    has_totp: row.totpConfirmedAt !== null,
    invited_by: row.invitedBy,
    invitation_expires_at: row.invitationExpiresAt?.toISOString() ?? null,
    last_login_at: row.lastLoginAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** The id of a user, as it stands in a path; anything else is of nobody. */
export const requireUserId = requireForm(/^usr_[0-9a-hjkmnp-tv-z]{26}$/);
