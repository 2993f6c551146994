import type { Route } from '../route.ts';
import { healthLive } from './health.live.ts';
import { healthReady } from './health.ready.ts';
import { createPayment } from './payments.create.ts';
import { getPayment } from './payments.get.ts';

/** Every operation of the API; what is not listed here is not served and not documented. */
export const routes: readonly Route[] = [createPayment, getPayment, healthLive, healthReady];
