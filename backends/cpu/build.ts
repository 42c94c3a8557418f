/** Generated sources -> shared objects, by the system's C++ compiler. Objects are kept by content, so that a plan compiles once. */
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { access, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DeviceError } from '../device.js';
import type { Level } from './levels.js';
import { buildFolder, tied, unfinished } from './unfinished.js';

const run = promisify(execFile);

/**
 * No -ffast-math: infinities and NaN keep their meaning. Sums are reordered only where the text says so (omp simd).
 * Partial redundancy elimination makes branches of chained conditional expressions, which then do not vectorise.
 */
const flags = ['-std=c++20', '-fPIC', '-ffp-contract=fast', '-fno-math-errno', '-fno-trapping-math', '-fno-tree-pre', '-fopenmp-simd', '-fno-exceptions', '-fno-rtti', '-w'];

/** Sources compiled at a time. */
const jobs = 2;

export function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'firn');
}

/** Root of the project: where runtime/native is, whether this runs from sources or from dist/. */
export async function projectRoot(): Promise<string> {
  let at = dirname(fileURLToPath(import.meta.url));
  while (dirname(at) !== at) {
    if (await exists(join(at, 'runtime', 'native', 'kernel.h'))) return at;
    at = dirname(at);
  }
  throw new DeviceError('D30', 'the native sources (runtime/native) are missing', 'reinstall firn');
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

export const compilerName = process.env.CXX || 'g++';

/** First line of the compiler's version; throws D31 without one. */
export async function compilerVersion(): Promise<string> {
  try {
    return (await run(compilerName, ['--version'])).stdout.split('\n')[0];
  } catch {
    throw new DeviceError('D31', `no C++ compiler: '${compilerName}' does not run`, 'install one: sudo apt-get install -y g++');
  }
}

/** Runs the compiler; its messages become a DeviceError with the source's path. */
export async function compileCpp(args: readonly string[], source: string): Promise<void> {
  const text = (await complaint(args))?.split('\n').slice(0, 12).join('\n');
  if (text === undefined) return;
  if (/No space left on device|[Ff]ile size limit exceeded|File too large/.test(text)) throw new DeviceError('D39', `compiled kernels cannot be written: the disk is full (${source})`, 'make room, or set XDG_CACHE_HOME to a folder with space');
  if (/Killed|out of memory|virtual memory exhausted/.test(text)) throw new DeviceError('D41', `${compilerName} ran out of memory on ${source}`, 'free some memory and run it again');
  throw new DeviceError('D32', `${compilerName} rejects ${source}:\n${text}`, 'report this: generated code must compile');
}

/** What the compiler says when it fails; undefined if it does not. */
function complaint(args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    // The compiler is several programs: a group of their own can be ended as one.
    const compiler = spawn(compilerName, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    tied(compiler);
    let said = '';
    compiler.stderr.setEncoding('utf8').on('data', (text: string) => { said += text; });
    compiler.on('error', (error) => resolve(String(error)));
    compiler.on('close', (status, signal) => resolve(status === 0 ? undefined : said || `it ended with ${signal ?? status}`));
  });
}

export function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const p of parts) hash.update(p).update('\0');
  return hash.digest('hex').slice(0, 32);
}

const forms = {
  /** Shared objects, which a running program loads. */
  library: { suffix: '.so', flags: ['-shared'] },
  /** Object files, which are linked into a program. */
  object: { suffix: '.o', flags: ['-c'] },
} as const;
export type KernelForm = keyof typeof forms;

/** `none`: a sixth of the compiler's time, for plans that run once and briefly. */
export type Optimization = 'full' | 'none';
const optimizationFlag = { full: '-O3', none: '-O0' } as const;

/** Compiles each source for `level`; returns the paths of the compiled files, in order. */
export async function buildKernels(sources: readonly string[], level: Level, form: KernelForm = 'library', optimization: Optimization = 'full'): Promise<string[]> {
  const version = await compilerVersion();
  const include = join(await projectRoot(), 'runtime', 'native');
  const header = await readFile(join(include, 'kernel.h'));
  const directory = join(cacheDirectory(), 'kernels');
  await buildFolder(directory);
  const own = [optimizationFlag[optimization], ...flags, ...forms[form].flags, ...level.flags, `-DFIRN_LANES=${level.lanes}`];
  const paths = sources.map((s) => join(directory, `${digest(version, own.join(' '), header, s)}${forms[form].suffix}`));
  const wanted = [...new Map(paths.map((p, i) => [p, sources[i]]))];
  const next = wanted[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const [path, source] of next) if (!(await exists(path))) await buildOne(path, source, [...own, `-I${include}`]);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return paths;
}

async function buildOne(path: string, source: string, args: readonly string[]): Promise<void> {
  const text = path.replace(/\.\w+$/, '.cpp');
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  await unfinished(`${temporary}.cpp`, async () => {
    // At once: a write that waits for its turn would still make the file after an interrupt has removed it.
    writeFileSync(`${temporary}.cpp`, source);
    await rename(`${temporary}.cpp`, text);
  });
  await unfinished(temporary, async () => {
    await compileCpp([...args, text, '-o', temporary, ...(args.includes('-c') ? [] : ['-lm'])], text);
    await rename(temporary, path);
  });
}
