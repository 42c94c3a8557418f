import type { Command } from 'commander';
import { example, withJson } from './options.js';

export function defineCheck(program: Command): void {
  const command = program.command('check').description('errors and warnings of a spec').argument('<spec...>', '.firn files');
  withJson(command);
  example(command, 'firn check examples/kimi-k2.firn').action(async (specs: string[], options: { json?: boolean }) => checkSpecs(specs, options));
}

async function checkSpecs(specs: readonly string[], options: { json?: boolean }): Promise<void> {
  const [{ checkSpec }, { hasErrors }, { report }, { Reported }, { formatCount }] = await Promise.all([
    import('../index.js'), import('../dsl/diagnostics.js'), import('./report.js'), import('./failure.js'), import('./terminal.js'),
  ]);
  const { nodeLoader, readSpec } = await import('./spec.js');
  const results = specs.map((spec) => ({ spec, ...checkSpec({ entry: readSpec(spec), load: nodeLoader }) }));
  if (options.json) process.stdout.write(`${JSON.stringify(results.map(({ spec, diagnostics }) => ({ spec, diagnostics })))}\n`);
  let failed = false;
  for (const { spec, diagnostics, files, parameters } of results) {
    failed ||= hasErrors(diagnostics);
    if (options.json) continue;
    try {
      report(diagnostics, [...files.values()]);
      process.stdout.write(`${spec}: ok${parameters === undefined ? '' : `, ${formatCount(parameters)} parameters`}\n`);
    } catch (error) {
      if (!(error instanceof Reported)) throw error;
    }
  }
  if (failed) throw new Reported();
}
