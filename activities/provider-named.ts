import { invariant } from '../workflows/domain/invariant.ts';
import type { ActivityDeps } from './deps.ts';
import type { Provider } from './providers/provider.ts';

/** The provider with this name; an unknown one is a broken invariant, as names come from our own routing. */
export function providerNamed({ providers }: ActivityDeps, name: string): Provider {
  const provider = providers.get(name);
  invariant(provider !== undefined, `there is no provider named ${name}`);
  return provider;
}
