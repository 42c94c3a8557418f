import type { Command } from 'commander';
import { Option } from 'commander';
import { entryNames, example, positive, precisionOption, targetOption, withJson, type Target } from './options.js';

interface Options { target: Target; entry: (typeof entryNames)[number]; context: number; tokens?: number; precision?: 'f32' | 'bf16'; json?: boolean }

export function defineExplain(program: Command): void {
  const command = program.command('explain')
    .description('kernel by kernel: what was fused, from which lines, bytes and operations')
    .argument('<spec>', 'a .firn file')
    .addOption(targetOption('cpu'))
    .addOption(new Option('--entry <name>', 'which entry point').choices(entryNames).default('decode'))
    .option('--context <n>', 'tokens of the sequence, new ones included', positive, 1024)
    .option('--tokens <n>', 'new tokens (1 for decode, the context for prefill, within what one run takes)', positive)
    .addOption(precisionOption());
  withJson(command);
  example(command, 'firn explain examples/kimi-k2.firn --target cpu --entry decode --context 4096')
    .action(async (spec: string, options: Options) => explainSpec(spec, options));
}

async function explainSpec(spec: string, options: Options): Promise<void> {
  const [{ compile }, { explain, printExplanation }, { report }, { nodeLoader, readSpec }] = await Promise.all([
    import('../index.js'), import('../compiler/plan/explain.js'), import('./report.js'), import('./spec.js'),
  ]);
  const { bundle, diagnostics, files } = compile({
    entry: readSpec(spec), load: nodeLoader, target: options.target, context: options.context,
    ...(options.precision === undefined ? {} : { precision: options.precision }),
  });
  report(diagnostics, [...files.values()]);
  const entry = bundle!.plan.entries.find((e) => e.name === options.entry)!;
  const most = entry.dims.find((d) => d.name === 'tokens')!.max;
  const tokens = Math.min(most, options.tokens ?? (options.entry === 'decode' ? 1 : options.context));
  const dims = { tokens, outputs: 1, sequences: 1, blocks: Math.ceil(options.context / bundle!.plan.block) };
  const explanation = explain(bundle!, options.entry, dims);
  process.stdout.write(options.json ? `${JSON.stringify(explanation)}\n` : printExplanation(explanation));
}
