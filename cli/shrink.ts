import { type Command, InvalidArgumentError } from 'commander';
import { example, withJson } from './options.js';

interface Options { output?: string; targetParams: number; json?: boolean }

export function defineShrink(program: Command): void {
  const command = program.command('shrink')
    .description('a miniature of a spec: every kind of layer kept, sizes reduced with their relations')
    .argument('<spec>', 'a .firn file')
    .option('-o, --output <file>', 'where to write it (standard output if not given)')
    .option('--target-params <n>', 'stop when no more parameters than this are left', count, 1e6);
  withJson(command);
  example(command, 'firn shrink examples/kimi-k2.firn -o k2-tiny.firn', 'firn shrink examples/llama-3.1-405b.firn --target-params 1e7 -o llama-small.firn')
    .action(async (spec: string, options: Options) => shrinkSpec(spec, options));
}

function count(text: string): number {
  const value = Number(text);
  if (!(value >= 1) || value === Infinity) throw new InvalidArgumentError('It must be a number of parameters, such as 1e6.');
  return value;
}

async function shrinkSpec(spec: string, options: Options): Promise<void> {
  const [{ shrink }, { report }, { nodeLoader, readSpec }, { formatCount, note }, { writeFileAtomically }] = await Promise.all([
    import('../index.js'), import('./report.js'), import('./spec.js'), import('./terminal.js'), import('../runtime/atomic-file.js'),
  ]);
  const { shrunk, diagnostics, files } = shrink({ entry: readSpec(spec), load: nodeLoader, targetParameters: options.targetParams });
  report(diagnostics, [...files]);
  const { text, parameters, before, changes } = shrunk!;
  if (options.output !== undefined) await writeFileAtomically(options.output, text);
  if (options.json) process.stdout.write(`${JSON.stringify({ parameters, before, changes, ...(options.output === undefined ? { text } : { file: options.output }) })}\n`);
  else if (options.output === undefined) process.stdout.write(text);
  note(`${formatCount(before)} parameters became ${formatCount(parameters)}${options.output === undefined ? '' : `; wrote ${options.output}`}`);
  if (parameters > options.targetParams) note('no size could be reduced further with its relations kept');
}
