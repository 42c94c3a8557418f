import type { Command } from 'commander';
import { Option } from 'commander';
import { UsageError } from './failure.js';
import { entryNames, example, positive, precisionOption, targetOption, withJson, type Target } from './options.js';

interface Options { target: Target; entry: (typeof entryNames)[number]; context?: number; tokens?: number; precision?: 'f32' | 'bf16'; json?: boolean }

export function defineExplain(program: Command): void {
  const command = program.command('explain')
    .description('kernel by kernel: what was fused, from which lines, bytes and operations')
    .argument('<spec>', 'a .firn file')
    .addOption(targetOption('cpu'))
    .addOption(new Option('--entry <name>', 'which entry point').choices(entryNames).default('decode'))
    .option('--context <n>', 'tokens of the sequence, new ones included (1024, or fewer if the spec allows no more)', positive)
    .option('--tokens <n>', 'new tokens of a prefill (the context, but at most 256)', positive)
    .addOption(precisionOption());
  withJson(command);
  example(command, 'firn explain examples/kimi-k2.firn --target cpu --entry decode --context 4096')
    .action(async (spec: string, options: Options) => explainSpec(spec, options));
}

async function explainSpec(spec: string, options: Options): Promise<void> {
  const [{ compile }, { explain, printExplanation }, { report }, { nodeLoader, readSpec }] = await Promise.all([
    import('../index.js'), import('../compiler/plan/explain.js'), import('./report.js'), import('./spec.js'),
  ]);
  if (options.entry === 'decode' && (options.tokens ?? 1) > 1) throw new UsageError('a decode has one new token; --entry prefill takes more');
  if (options.entry === 'train_step') await refuseTraining(spec);
  const { bundle, diagnostics, files } = compile({
    entry: readSpec(spec), load: nodeLoader, target: options.target, ...(options.context === undefined ? { longest: 1024 } : { context: options.context }),
    ...(options.tokens === undefined ? {} : { maxTokens: options.tokens }),
    ...(options.precision === undefined ? {} : { precision: options.precision }),
  });
  report(diagnostics, [...files.values()]);
  const entry = bundle!.plan.entries.find((e) => e.name === options.entry)!;
  const most = (name: string): number => entry.dims.find((d) => d.name === name)!.max;
  if (options.tokens !== undefined && options.tokens > most('context')) throw new UsageError(`${options.tokens} new tokens do not fit a sequence of ${most('context')}; --context makes it longer`);
  const dims = { tokens: most('tokens'), outputs: 1, sequences: 1, blocks: most('blocks') };
  const explanation = explain(bundle!, options.entry, dims);
  process.stdout.write(options.json ? `${JSON.stringify(explanation)}\n` : printExplanation(explanation));
}

/** Reports the spec's own mistakes, or that its training entry point cannot be compiled yet. */
async function refuseTraining(spec: string): Promise<never> {
  const [{ checkSpec }, { trainingNotCompiled }, { report }, { Reported }, { nodeLoader, readSpec }] = await Promise.all([
    import('../index.js'), import('../dsl/section-messages.js'), import('./report.js'), import('./failure.js'), import('./spec.js'),
  ]);
  const { info, diagnostics, files } = checkSpec({ entry: readSpec(spec), load: nodeLoader });
  report([...diagnostics, ...(info === undefined ? [] : [trainingNotCompiled(info.name, info.train !== undefined, info.train?.span ?? info.span)])], [...files.values()]);
  throw new Reported();
}
