import { Command, Option } from 'commander';
import { UsageError } from './failure.js';
import { example, names, positive, precisionOption, targetOption, withJson, type Target } from './options.js';

export const phaseNames = ['ast', 'graph', 'passes', 'kernels', 'plan'] as const;
export type PhaseName = (typeof phaseNames)[number];

export interface CompileOptions {
  target: Target; output?: string; context?: number; maxTokens?: number; sequences?: number; precision?: 'f32' | 'bf16';
  weights?: string; stopAfter?: PhaseName; print?: string[]; json?: boolean;
}

export function defineCompile(program: Command): void {
  const command = program.command('compile')
    .description('plan, kernels and weight table of a spec, as files')
    .argument('<spec>', 'a .firn file')
    .addOption(targetOption('cpu'))
    .option('-o, --output <dir>', 'folder to write')
    .option('--context <n>', 'longest sequence in tokens (the context that the spec states)', positive)
    .option('--max-tokens <n>', 'most tokens per run', positive)
    .option('--sequences <n>', 'most sequences per run', positive)
    .addOption(precisionOption())
    .option('--weights <dir>', 'the checkpoint that will be loaded: parameters are kept in the dtypes that it stores')
    .addOption(new Option('--stop-after <phase>', 'go no further than this, and print it').choices(phaseNames))
    .option('--print <phases>', `print these representations: ${phaseNames.join(', ')}`, names);
  withJson(command);
  example(command, 'firn compile examples/kimi-k2.firn --target null -o build/k2', 'firn compile examples/k2-mini.firn --target wgsl -o site    (host the folder on any web server: it is a page that runs the model)', 'firn compile examples/k2-mini.firn --stop-after graph')
    .action(async (spec: string, options: CompileOptions) => {
      if (options.output === undefined && options.stopAfter === undefined && options.print === undefined) throw new UsageError('say where to write (-o DIR), or what to print (--print PHASE, --stop-after PHASE)');
      await (await import('./compile-spec.js')).compileSpec(spec, options);
    });
}
