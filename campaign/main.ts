import { Command } from 'commander';
import { batchCampaign } from './batch.ts';
import { fuzzCampaign } from './fuzz.ts';
import { modelCampaign } from './model.ts';
import { yearsCampaign } from './years.ts';

/**
 * `npm run campaign -- <name>`: the long versions of the random tests that `npm test` runs in short. Each starts a world of
 * its own, prints how it is going and a summary, and exits with 1 when it found something or did less than it should.
 */
const program = new Command('campaign')
  .description(
    'The long versions of the random tests; each starts its own database, Temporal, simulators, worker and API.',
  )
  .addCommand(batchCampaign())
  .addCommand(fuzzCampaign())
  .addCommand(modelCampaign())
  .addCommand(yearsCampaign())
  .showHelpAfterError();

await program.parseAsync();
