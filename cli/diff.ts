import type { Command } from 'commander';
import { example, positive, withJson } from './options.js';

interface Options { device: string; context?: number; batch: number; json?: boolean }

export function defineDiff(program: Command): void {
  const command = program.command('diff')
    .description('what two specs differ in: dims, layers, parameters, precision, and cost')
    .argument('<a>', 'a .firn file').argument('<b>', 'another')
    .option('--device <name>', 'for modelled times: h200, h100, cpu (this machine, measured), or figures', 'h200')
    .option('--context <n>', 'tokens in each sequence', positive)
    .option('--batch <n>', 'sequences of a decode step', positive, 1);
  withJson(command);
  example(command, 'firn diff examples/kimi-k2.firn examples/k2-mini.firn')
    .action(async (a: string, b: string, options: Options) => diffSpecs(a, b, options));
}

async function diffSpecs(a: string, b: string, options: Options): Promise<void> {
  const [{ diffModels }, { deviceFigures }, { report }, { nodeLoader, readSpec }, { formatTable }, { formatMeasure }, { measures }] = await Promise.all([
    import('../index.js'), import('./device-figures.js'), import('./report.js'), import('./spec.js'), import('./terminal.js'), import('./explore-table.js'), import('../compiler/model/measures.js'),
  ]);
  const { diff, diagnostics, files } = diffModels({
    a: readSpec(a), b: readSpec(b), load: nodeLoader, device: deviceFigures(options.device), batch: options.batch, ...(options.context === undefined ? {} : { context: options.context }),
  });
  report(diagnostics, [...files]);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(diff)}\n`);
    return;
  }
  const sections = ([['in the spec', diff!.spec], ['layers', diff!.layers], ['parameters', diff!.parameters]] as const).filter(([, rows]) => rows.length > 0)
    .map(([title, rows]) => formatTable([[title, ...diff!.names], ...rows.map((d) => [`  ${d.what}`, d.a ?? '-', d.b ?? '-'])]));
  const cost = diff!.cost.map(({ measure, a: x, b: y }) => [`  ${measures[measure].title}`, formatMeasure(measure, x), formatMeasure(measure, y), x === y ? '' : x === 0 ? 'new' : `x ${(y / x).toPrecision(3)}`]);
  if (sections.length === 0) process.stdout.write('the two models are the same\n\n');
  process.stdout.write(`${[...sections, formatTable([['cost', ...diff!.names, ''], ...cost], new Set([1, 2, 3]))].join('\n\n')}\n`);
}
