import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';

const folders = [
  'activities',
  'api',
  'bench',
  'campaign',
  'prisma',
  'runtime',
  'simulators',
  'test',
  'workers',
  'workflows',
];
/** Fewer modules than this means that the parser read nothing, which dependency-cruiser itself calls a success. */
const modulesMin = 100;

/** Holds the imports against the table in `.dependency-cruiser.cjs`; exits 1 with one line per forbidden import. */
const options = await extractOptions('./.dependency-cruiser.cjs');
const { output } = await cruise(folders, options);
const { summary } = output as ICruiseResult;
for (const { from, to, rule } of summary.violations)
  process.stderr.write(`${from} must not import ${to} (${rule.name})\n`);
if (summary.totalCruised < modulesMin) {
  process.stderr.write(`Only ${summary.totalCruised} modules were read: the check itself is broken.\n`);
  process.exitCode = 1;
} else if (summary.violations.length > 0) {
  process.stderr.write('The import table stands in .dependency-cruiser.cjs, its reason in docs/architecture.md.\n');
  process.exitCode = 1;
} else {
  process.stdout.write(`imports: ${summary.totalCruised} modules follow the table\n`);
}
