import { AsyncLocalStorage } from 'node:async_hooks';
import type { LogFields } from './log-fields.ts';

const context = new AsyncLocalStorage<{ fields: LogFields }>();

/** Runs `work` so that every log line written within it, however deep, carries these fields. */
export function withLogFields<T>(fields: LogFields, work: () => T): T {
  return context.run({ fields: { ...currentLogFields(), ...fields } }, work);
}

/** Adds what was learned on the way to all further lines of the work around; does nothing outside of any. */
export function addLogFields(fields: LogFields): void {
  const store = context.getStore();
  if (store !== undefined) store.fields = { ...store.fields, ...fields };
}

/** The fields of the work around, for the logger. */
export function currentLogFields(): LogFields {
  return context.getStore()?.fields ?? {};
}
