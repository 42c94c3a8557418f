import type { Command } from 'commander';
import { example } from './options.js';

interface Options { weights: string; output: string }

export function defineQuantize(program: Command): void {
  const command = program.command('quantize')
    .description('write a checkpoint whose matrices are int4 where the spec quantizes them to int4')
    .argument('<spec>', 'a .firn file with `quantize ... to int4(..)`')
    .requiredOption('--weights <dir>', 'checkpoint in F32, BF16 or F16, as downloaded')
    .requiredOption('-o, --output <dir>', 'folder to write, which must not exist yet');
  example(command, 'firn quantize model.firn --weights ./bf16 -o ./int4').action(async (spec: string, options: Options) => quantize(spec, options));
}

async function quantize(spec: string, options: Options): Promise<void> {
  const [{ checkSpec, openCheckpoint, storedIn }, { report }, { nodeLoader, readSpec }, { tensorsToQuantize }, { quantizeCheckpoint }, { formatBytes, ProgressLine }, { CommandError }] = await Promise.all([
    import('../index.js'), import('./report.js'), import('./spec.js'), import('../runtime/quantize-plan.js'), import('../runtime/quantize-checkpoint.js'),
    import('./terminal.js'), import('./failure.js'),
  ]);
  const checkpoint = await openCheckpoint(options.weights);
  try {
    const checked = checkSpec({ entry: readSpec(spec), load: nodeLoader, stored: storedIn(checkpoint) });
    report(checked.diagnostics, [...checked.files.values()]);
    if (checked.sources === undefined) throw new CommandError('C11', 'the spec has no weights section, so nothing says which tensor of the checkpoint is which parameter', 'add a `weights { ... }` section');
    const groups = tensorsToQuantize(checked.module!.params, checked.sources, checkpoint);
    if (groups.size === 0) throw new CommandError('C12', 'the spec quantizes nothing', 'add `quantize ... to int4(group: 32, along: in)`');
    const line = new ProgressLine();
    const result = await quantizeCheckpoint({
      checkpoint, groups, output: options.output, onProgress: (done, total) => line.update(() => `quantizing: ${formatBytes(done)} of ${formatBytes(total)}`),
    }).finally(() => line.end());
    process.stderr.write(`wrote ${options.output}: ${result.tensors} tensors as int4, ${formatBytes(result.bytesBefore)} became ${formatBytes(result.bytesAfter)}\n`);
  } finally {
    await checkpoint.close();
  }
}
