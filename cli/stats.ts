import type { Command } from 'commander';
import { example, withJson } from './options.js';

export function defineStats(program: Command): void {
  const command = program.command('stats').description('parameters, bytes and cache of a spec, counted exactly').argument('<spec>', 'a .firn file');
  withJson(command);
  example(command, 'firn stats examples/kimi-k2.firn').action(async (spec: string, options: { json?: boolean }) => printStats(spec, options));
}

async function printStats(spec: string, options: { json?: boolean }): Promise<void> {
  const [{ checkSpec }, { moduleStats }, { report }, { nodeLoader, readSpec }, { formatBytes, formatCount, formatTable }, { printStorage }, { checkpointBytes }] = await Promise.all([
    import('../index.js'), import('../compiler/model/stats.js'), import('./report.js'), import('./spec.js'), import('./terminal.js'), import('../compiler/ir/print-graph.js'),
    import('../compiler/model/checkpoint-bytes.js'),
  ]);
  const { module, info, sources, diagnostics, files } = checkSpec({ entry: readSpec(spec), load: nodeLoader });
  report(diagnostics, [...files.values()]);
  const stats = moduleStats(module!);
  const stored = sources === undefined ? undefined : checkpointBytes(module!, sources);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ model: info!.name, ...(stored === undefined ? {} : { checkpointBytes: stored }), ...stats })}\n`);
    return;
  }
  const rows = stats.groups.map((g) => [g.path, g.count > 1 ? `x ${g.count}` : '', `[${g.shape.map((a) => `${a.name} ${a.size}`).join(', ')}]`, printStorage(g.storage), formatCount(g.parameters)]);
  process.stdout.write(`${formatTable([['parameter', '', 'shape', 'stored as', 'count'], ...rows], new Set([4]))}\n\n`);
  process.stdout.write(`${formatTable([
    ['parameters', formatCount(stats.parameters), formatBytes(stats.weightBytes)],
    ['active per token', formatCount(stats.activeParameters), formatBytes(stats.activeBytes)],
    ...(stored === undefined ? [] : [['checkpoint', `${formatCount(stored)} bytes`, formatBytes(stored)]]),
    ['cache per token', '', formatBytes(stats.cacheBytesPerToken)],
    [`cache at context ${formatCount(info!.context)}`, '', formatBytes(stats.cacheBytesPerToken * info!.context)],
    ...(stats.stateBytesPerSequence > 0 ? [['state per sequence', '', formatBytes(stats.stateBytesPerSequence)]] : []),
  ], new Set([1, 2]))}\n`);
}
