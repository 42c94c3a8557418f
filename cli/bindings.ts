import type { Command } from 'commander';
import { example, positive, precisionOption } from './options.js';

export interface BindingsOptions { output: string; context?: number; maxTokens?: number; sequences?: number; precision?: 'f32' | 'bf16' }

export function defineBindings(program: Command): void {
  const command = program.command('bindings')
    .description('a typed TypeScript module for one model: entry points with their axes, dims and dtypes')
    .argument('<spec>', 'a .firn file')
    .requiredOption('-o, --output <file>', 'the module to write')
    .option('--context <n>', 'longest sequence in tokens (the context that the spec states)', positive)
    .option('--max-tokens <n>', 'most tokens per run', positive)
    .option('--sequences <n>', 'most sequences per run', positive)
    .addOption(precisionOption());
  example(command, 'firn bindings examples/k2-mini.firn -o k2-mini.ts --context 1024')
    .action(async (spec: string, options: BindingsOptions) => (await import('./write-bindings.js')).writeBindings(spec, options));
}
