import type { Command } from 'commander';
import { example } from './options.js';

interface Options { write?: boolean; check?: boolean }

export function defineFormat(program: Command): void {
  const command = program.command('fmt')
    .description('the canonical form of a spec, on standard output')
    .argument('<spec...>', '.firn files; - is standard input')
    .option('-w, --write', 'change the files instead')
    .option('--check', 'only say which files are not in canonical form, and fail if one is not');
  example(command, 'firn fmt --write examples/kimi-k2.firn').action(async (specs: string[], options: Options) => formatSpecs(specs, options));
}

async function formatSpecs(specs: readonly string[], options: Options): Promise<void> {
  const [{ parse }, { print }, { readSpec }, { reported }, { Reported, UsageError }, { writeFileAtomically }, { readStandardInput }] = await Promise.all([
    import('../dsl/parse.js'), import('../dsl/print.js'), import('./spec.js'), import('./report.js'), import('./failure.js'), import('../runtime/atomic-file.js'),
    import('../dsl/text-node.js'),
  ]);
  if (options.write && specs.includes('-')) throw new UsageError('--write changes files; standard input is not one');
  let changed = 0;
  let failed = false;
  for (const spec of specs) {
    const source = spec === '-' ? { path: 'standard input', text: await readStandardInput() } : readSpec(spec);
    const { file, diagnostics } = parse(source);
    if (!reported(diagnostics, [source])) {
      failed = true;
      continue;
    }
    const text = print(file!);
    if (!options.check && !options.write) process.stdout.write(text);
    if (text === source.text) continue;
    changed++;
    if (options.check) process.stdout.write(`${spec}\n`);
    else if (options.write) await writeFileAtomically(spec, text);
  }
  if (failed || (options.check && changed > 0)) throw new Reported();
}
