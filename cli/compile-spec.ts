import { compile, openCheckpoint, storedIn, type Compiled } from '../index.js';
import { parse } from '../dsl/parse.js';
import { print } from '../dsl/print.js';
import type { SourceFile } from '../dsl/span.js';
import { writeBundleFiles } from './bundle-files.js';
import { type CompileOptions, type PhaseName, phaseNames } from './compile.js';
import { UsageError } from './failure.js';
import { withPrintedPhases } from './print-phase.js';
import { report } from './report.js';
import { nodeLoader, readSpec } from '../dsl/std-node.js';
import { formatBytes, formatTable } from './terminal.js';

export async function compileSpec(spec: string, options: CompileOptions): Promise<void> {
  const started = performance.now();
  const entry = readSpec(spec);
  const wanted = options.print ?? (options.stopAfter === undefined ? [] : [options.stopAfter]);
  const unknown = wanted.find((phase) => !phaseNames.includes(phase as PhaseName));
  if (unknown !== undefined) throw new UsageError(`--print does not know '${unknown}'; it prints ${phaseNames.join(', ')}`);
  if (wanted.includes('ast')) printAst(entry);
  if (options.stopAfter === 'ast') return;
  const checkpoint = options.weights === undefined ? undefined : await openCheckpoint(options.weights);
  await checkpoint?.close();
  const compiled = withPrintedPhases(wanted, options.stopAfter, (onPhase) => compile({
    entry, load: nodeLoader, target: options.target, onPhase,
    ...(options.context === undefined ? {} : { context: options.context }), ...(options.maxTokens === undefined ? {} : { maxTokens: options.maxTokens }),
    ...(options.sequences === undefined ? {} : { sequences: options.sequences }), ...(options.precision === undefined ? {} : { precision: options.precision }),
    ...(checkpoint === undefined ? {} : { stored: storedIn(checkpoint) }),
  }));
  if (compiled === undefined) return;
  report(compiled.diagnostics, [...compiled.files.values()]);
  if (options.output === undefined) return;
  const files = await writeBundleFiles(options.output, compiled.bundle!, compiled.sources, await filesForTarget(compiled));
  const seconds = (performance.now() - started) / 1000;
  if (options.json) process.stdout.write(`${JSON.stringify(summary(compiled, options.output, files))}\n`);
  else if ((options.print ?? []).length === 0) printSummary(compiled, options.output, files, seconds);
}

/** The AST as text is the spec in canonical form. */
function printAst(entry: SourceFile): void {
  const { file, diagnostics } = parse(entry);
  report(diagnostics, [entry]);
  process.stdout.write(print(file!));
}

/** Sources that the target's own compiler takes; for WebGPU also the page that runs the model. */
async function filesForTarget({ bundle: made, info }: Compiled): Promise<ReadonlyMap<string, string>> {
  const bundle = made!;
  switch (bundle.plan.target) {
    case 'wgsl': {
      const [{ emitWgsl }, { pageFiles }] = await Promise.all([import('../backends/wgsl/emit.js'), import('./page-files.js')]);
      return new Map([...bundle.programs.map((program) => [`wgsl/${program.name}.wgsl`, emitWgsl(program).code] as const), ...pageFiles(info!.stop)]);
    }
    case 'cpu': {
      const [{ emitKernel, emitSource }, { levels }] = await Promise.all([import('../backends/cpu/emit.js'), import('../backends/cpu/levels.js')]);
      return new Map(Object.values(levels).map((level) => [`cpu/kernels-${level.name}.cc`, emitSource(bundle.programs.map((p) => emitKernel(p, bundle.plan.dims, level)))]));
    }
    default: return new Map();
  }
}

function summary({ bundle }: Compiled, folder: string, files: ReadonlyMap<string, number>): object {
  const { plan } = bundle!;
  return {
    folder, model: plan.model, target: plan.target, hash: plan.hash, kernels: plan.kernels.length, peakBytes: plan.peakBytes,
    buffers: Object.fromEntries(plan.buffers.map((b) => [b.id, b.bytes])), files: Object.fromEntries(files),
  };
}

function printSummary({ bundle }: Compiled, folder: string, files: ReadonlyMap<string, number>, seconds: number): void {
  const { plan } = bundle!;
  process.stdout.write(`${plan.model} for ${plan.target} in ${seconds.toFixed(2)} s: ${plan.kernels.length} kernels, entries ${plan.entries.map((e) => e.name).join(' and ')}, plan ${plan.hash.slice(0, 12)}, verified\n`);
  process.stdout.write(`${formatTable([...plan.buffers.map((b) => [`  ${b.id}`, formatBytes(b.bytes)]), ['  in all', formatBytes(plan.peakBytes)]], new Set([1]))}\n`);
  process.stdout.write(`wrote to ${folder}:\n${formatTable([...files].slice(-8).map(([name, bytes]) => [`  ${name}`, formatBytes(bytes)]), new Set([1]))}\n`);
}
