import { chooseLevel, levelNamed, type Level } from '../backends/cpu/levels.js';
import { linkProgram } from '../backends/cpu/link-program.js';
import { type Checkpoint, compile, openCheckpoint, storedIn } from '../index.js';
import { fillWeights } from '../runtime/load-model.js';
import { checkWeights } from '../runtime/load-weights.js';
import { type ProgramDescription, writeProgram } from '../runtime/program-file.js';
import { loadTokenizer, stopTokens } from '../runtime/tokenizer/load.js';
import { checkVocabulary, type Tokenizer } from '../runtime/tokenizer/tokenizer.js';
import { type BuildOptions, processors } from './build.js';
import { UsageError } from './failure.js';
import { requireWeightMap } from './prepare.js';
import { report } from './report.js';
import { nodeLoader, readSpec } from './spec.js';
import { formatBytes, formatTable, note, ProgressLine } from './terminal.js';

type Compiled = ReturnType<typeof compile>;

export async function buildProgram(spec: string, options: BuildOptions): Promise<void> {
  if (options.weights === undefined && options.init === undefined) throw new UsageError('say where the weights come from: --weights DIR, or --init SEED for random ones');
  const wanted = processors[options.cpu];
  const level = wanted === undefined ? await chooseLevel() : levelNamed(wanted);
  const checkpoint = options.weights === undefined ? undefined : await openCheckpoint(options.weights);
  try {
    const compiled = compileFor(spec, checkpoint, options);
    const description = await describe(compiled, level, options);
    note(`compiling ${compiled.bundle!.plan.kernels.length} kernels for processors with ${level.label}`);
    const program = await linkProgram(compiled.bundle!, level);
    const files = await write(compiled, checkpoint, { program, description, options });
    if (options.json) process.stdout.write(`${JSON.stringify({ model: compiled.bundle!.plan.model, processor: level.label, files: Object.fromEntries(files) })}\n`);
    else process.stdout.write(`wrote:\n${formatTable([...files].map(([name, bytes]) => [`  ${name}`, formatBytes(bytes)]), new Set([1]))}\n`);
  } finally {
    await checkpoint?.close();
  }
}

function compileFor(spec: string, checkpoint: Checkpoint | undefined, options: BuildOptions): Compiled {
  const compiled = compile({
    entry: readSpec(spec), load: nodeLoader, target: 'cpu', maxTokens: options.chunk,
    ...(options.context === undefined ? {} : { context: options.context }), ...(options.precision === undefined ? {} : { precision: options.precision }),
    ...(checkpoint === undefined ? {} : { stored: storedIn(checkpoint) }),
  });
  report(compiled.diagnostics, [...compiled.files.values()]);
  if (checkpoint !== undefined) {
    requireWeightMap(compiled);
    checkWeights(compiled.bundle!.plan, compiled.sources!, checkpoint);
  }
  return compiled;
}

async function describe({ bundle, info }: Compiled, level: Level, { weights }: BuildOptions): Promise<ProgramDescription> {
  const extent = bundle!.plan.entries[0].outputs.find((p) => p.name === 'logits')!.shape.at(-1)!;
  if (extent.kind !== 'int') throw new Error('build: the extent of the vocabulary is not a number');
  const tokenizer = tokenizerOf(await loadTokenizer(weights), extent.value);
  if (typeof tokenizer === 'object' && 'why' in tokenizer) note(`the program will take token ids only: ${tokenizer.why}`);
  return {
    processor: level.label, needs: level.needs, vocabulary: extent.value,
    stop: [...info!.stop, ...(weights === undefined ? [] : await stopTokens(weights))], tokenizer,
  };
}

function tokenizerOf(tokenizer: Tokenizer, vocabulary: number): ProgramDescription['tokenizer'] {
  if (tokenizer.name !== 'bytes') checkVocabulary(tokenizer, vocabulary);
  else return vocabulary < 256 ? { why: `a vocabulary of ${vocabulary} ids cannot hold the 256 bytes of text` } : 'bytes';
  const pieces = tokenizer.pieces!();
  return typeof pieces === 'string' ? { why: `${tokenizer.name} cannot be part of it: ${pieces}` } : pieces;
}

interface Parts { readonly program: Uint8Array; readonly description: ProgramDescription; readonly options: BuildOptions }

async function write({ bundle, sources }: Compiled, checkpoint: Checkpoint | undefined, { program, description, options }: Parts): Promise<Map<string, number>> {
  const { plan } = bundle!;
  const line = new ProgressLine();
  const onProgress = (p: { doneBytes: number; totalBytes: number }): void => line.update(() => `writing weights: ${formatBytes(p.doneBytes)} of ${formatBytes(p.totalBytes)}`);
  try {
    return await writeProgram({
      path: options.output, program, plan, description, weightsBeside: options.weightsBeside ?? false,
      fill: (weights) => fillWeights(weights, plan, checkpoint === undefined ? { seed: options.init! } : { checkpoint, sources: sources! }, onProgress),
    });
  } finally {
    line.end();
  }
}
