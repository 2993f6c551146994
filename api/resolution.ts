import { words } from './text.ts';

/** What an operator says with every decision. */
export const resolutionFields = {
  evidence: words(500).describe('Where that can be seen: a statement line, a case number at the provider'),
  reason: words(500).describe('Why it is decided so'),
};

/** Seconds that an operator's request waits when it does not say so itself. */
export const operatorWaitSeconds = 10;
