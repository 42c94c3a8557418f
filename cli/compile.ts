import type { Command } from 'commander';
import { example, positive, precisionOption, targetOption, withJson, type DeviceName } from './options.js';

interface Options { target: DeviceName; output: string; context?: number; maxTokens?: number; sequences?: number; precision?: 'f32' | 'bf16'; json?: boolean }

export function defineCompile(program: Command): void {
  const command = program.command('compile')
    .description('plan, kernels and weight table of a spec, as files')
    .argument('<spec>', 'a .firn file')
    .addOption(targetOption('cpu'))
    .requiredOption('-o, --output <dir>', 'folder to write')
    .option('--context <n>', 'longest sequence in tokens (the context that the spec states)', positive)
    .option('--max-tokens <n>', 'most tokens per run', positive)
    .option('--sequences <n>', 'most sequences per run', positive)
    .addOption(precisionOption());
  withJson(command);
  example(command, 'firn compile examples/kimi-k2.firn --target null -o build/k2')
    .action(async (spec: string, options: Options) => (await import('./compile-spec.js')).compileSpec(spec, options));
}
export type { Options as CompileOptions };
