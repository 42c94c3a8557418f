import { type Command, Option } from 'commander';
import { example, positive, precisionOption, seed, withJson } from './options.js';

export const processors = { native: undefined, avx512: 'v4', avx2: 'v3', portable: 'v2' } as const;

export interface BuildOptions {
  weights?: string; init?: number; output: string; cpu: keyof typeof processors; weightsBeside?: boolean;
  context?: number; chunk: number; precision?: 'f32' | 'bf16'; json?: boolean;
}

export function defineBuild(program: Command): void {
  const command = program.command('build')
    .description('a program of its own for one model: needs neither Node nor a compiler where it runs')
    .argument('<spec>', 'a .firn file')
    .addOption(new Option('--weights <dir>', 'folder with the checkpoint').conflicts('init'))
    .addOption(new Option('--init <seed>', 'random weights instead, from this seed').argParser(seed))
    .requiredOption('-o, --output <file>', 'the program to write')
    .addOption(new Option('--target <name>', 'what it runs on').choices(['cpu']).default('cpu'))
    .addOption(new Option('--cpu <level>', 'processors it runs on: those with what this one has, with AVX-512, with AVX2, or all of x86-64 with SSE4.2').choices(Object.keys(processors)).default('native'))
    .option('--weights-beside', 'leave the weights in a file of their own, FILE.weights')
    .option('--context <n>', 'longest sequence in tokens (the context that the spec states)', positive)
    .option('--chunk <n>', 'most prompt tokens per run', positive, 512)
    .addOption(precisionOption());
  withJson(command);
  example(command, 'firn build examples/k2-mini.firn --init 1 -o k2-mini && ./k2-mini --prompt "Snow falls, and"')
    .action(async (spec: string, options: BuildOptions) => (await import('./build-program.js')).buildProgram(spec, options));
}
