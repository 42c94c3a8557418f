import { explore, type Exploration } from '../index.js';
import { measureNames, measures } from '../compiler/model/measures.js';
import { writeFileAtomically } from '../runtime/atomic-file.js';
import { deviceFigures } from './device-figures.js';
import type { ExploreOptions } from './explore.js';
import { explorationCsv, explorationRows, formatMeasure } from './explore-table.js';
import { CommandError } from './failure.js';
import { report } from './report.js';
import { nodeLoader, readSpec } from '../dsl/std-node.js';
import { formatCount, formatTable, note, ProgressLine } from './terminal.js';

export async function exploreSpec(spec: string, options: ExploreOptions): Promise<void> {
  const write = await writerFor(options.output);
  const device = deviceFigures(options.device);
  const line = new ProgressLine();
  const { exploration, diagnostics, files } = explore({
    entry: readSpec(spec), load: nodeLoader, vary: options.vary, device, batch: options.batch, budgets: options.budget, objectives: options.front,
    onVariant: (done, total) => line.update(() => `${done} of ${total} variants`),
    ...(options.context === undefined ? {} : { context: options.context }), ...(options.precision === undefined ? {} : { precision: options.precision }),
  });
  line.end();
  report(diagnostics, [...files]);
  for (const v of exploration!.variants) for (const d of v.diagnostics.slice(0, 1)) note(`${exploration!.paths.map((p, i) => `${p} = ${v.values[i]}`).join(', ')}: ${d.code} ${d.message}`);
  if (options.json) process.stdout.write(`${JSON.stringify(exploration)}\n`);
  else process.stdout.write(table(exploration!));
  if (write !== undefined) {
    await writeFileAtomically(options.output!, write(exploration!));
    note(`wrote ${options.output!}`);
  }
}

/** By the ending of the file; checked before anything is computed. */
async function writerFor(path: string | undefined): Promise<((e: Exploration) => string) | undefined> {
  switch (path?.split('.').at(-1)) {
    case undefined: return undefined;
    case 'csv': return explorationCsv;
    case 'json': return (e) => `${JSON.stringify(e, undefined, 1)}\n`;
    case 'html': {
      const { explorationPage, plotLibrary } = await import('./explore-page.js');
      const library = plotLibrary();
      return (e) => explorationPage(e, library);
    }
    default: throw new CommandError('C30', `${path!}: what kind of file is not clear from its name`, 'end it in .csv, .json or .html');
  }
}

function table(e: Exploration): string {
  const { device } = e;
  const head = `${e.model} on ${device.name}: ${formatCount(Math.round(device.bandwidth / 1e9))} GB/s, ${formatCount(Math.round(device.products.bf16 / 1e9))} Gflop/s; context ${e.context}, batch ${e.batch}\n`;
  const columns = [...e.paths.map((p) => p.split('.').at(-1)!), ...measureNames, ''];
  const rows = explorationRows(e).map(({ variant, mark }) => [
    ...variant.values, ...measureNames.map((m) => (variant.measures === undefined ? '-' : formatMeasure(m, variant.measures[m]))), mark,
  ]);
  const right = new Set(columns.keys());
  right.delete(columns.length - 1);
  const objectives = e.objectives.map((o) => `${measures[o].better} ${measures[o].title}`).join(', ');
  return `${head}${formatTable([columns, ...rows], right)}\n* on the Pareto front (${objectives})${e.budgets.length > 0 ? '; - not within budget' : ''}\n`;
}
