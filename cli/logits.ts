import type { Command } from 'commander';
import { deviceOption, type DeviceName, example, names, positive, precisionOption } from './options.js';

export interface LogitsOptions {
  weights: string; tokens: string; output: string; device?: DeviceName; chunk?: number; taps?: string[]; precision?: 'f32' | 'bf16'; context?: number; pinRouting?: string;
}

export function defineLogits(program: Command): void {
  const command = program.command('logits')
    .description('logits of every position of some prompts, as a safetensors file')
    .argument('<spec>', 'a .firn file')
    .requiredOption('--weights <dir>', 'folder with the checkpoint')
    .requiredOption('--tokens <ids.json>', 'an array of prompts, each an array of token ids')
    .requiredOption('-o, --output <file>', 'file to write: logits.I f32 [tokens, vocab] for prompt I')
    .option('--chunk <n>', 'tokens per run', positive)
    .option('--taps <names>', 'also write these exports: hidden.L.I, router.NAME.I (ids, ascending)', names)
    .option('--pin-routing <taps.safetensors>', 'force the chosen ids (experts) that this file holds, as --taps router writes them; their weights are still computed')
    .option('--context <n>', 'longest sequence in tokens (the longest prompt)', positive)
    .addOption(deviceOption())
    .addOption(precisionOption());
  example(command, 'firn logits k2.firn --weights ./k2-tiny --tokens prompts.json -o logits.safetensors --chunk 5 --taps hidden,router')
    .action(async (spec: string, options: LogitsOptions) => (await import('./write-logits.js')).writeLogits(spec, options));
}
