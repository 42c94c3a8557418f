/** Builds the native core as a Node addon, as a test program and as part of standalone programs, with the system's compiler alone. */
import { mkdtempSync } from 'node:fs';
import { readFile, readdir, rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DeviceError } from '../device.js';
import { buildFolder, unfinished } from './unfinished.js';
import { compileCpp, compilerVersion, digest, exists, projectRoot } from './build.js';

const require = createRequire(import.meta.url);
const core = ['json.cc', 'plan.cc', 'threads.cc', 'executor.cc'];
const flags = ['-std=c++20', '-O2', '-fPIC', '-Wall', '-Wextra', '-pthread'];

/** Directory of an npm package's headers. */
function headersOf(name: string, inside: string): string {
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), inside);
  } catch {
    throw new DeviceError('D36', `the npm package '${name}' is missing`, 'run: npm install');
  }
}

/** Path of the addon for this Node, built if it is not there yet (in build/, by content of its sources). */
export async function buildAddon(): Promise<string> {
  const includes = [headersOf('node-addon-api', '.'), headersOf('node-api-headers', 'include')];
  return build('firn', '.node', [...core, 'addon.cc'], ['-shared', '-DNAPI_VERSION=8', '-DNAPI_CPP_EXCEPTIONS', ...includes.map((i) => `-I${i}`), '-ldl']);
}

/** Path of the test program (`runtime/native/test_main.cc`), which runs plans without Node. */
export async function buildTestProgram(): Promise<string> {
  return build('firn-test', '', [...core, 'test_main.cc'], ['-ldl', '-rdynamic']);
}

/** Path of the object file with everything of a standalone program but its kernels (`runtime/native/standalone.cc`). */
export async function buildStandaloneCore(): Promise<string> {
  return build('firn-standalone', '.o', [...core, 'program.cc', 'generator.cc', 'text.cc', 'words.cc', 'standalone.cc'], ['-r', '-nostdlib']);
}

async function build(name: string, suffix: string, sources: readonly string[], own: readonly string[]): Promise<string> {
  const root = await projectRoot();
  const directory = join(root, 'runtime', 'native');
  const texts = await Promise.all((await readdir(directory)).filter((f) => /\.(cc|h)$/.test(f)).sort().map((f) => readFile(join(directory, f))));
  const key = digest(await compilerVersion(), process.arch, ...flags, ...own, ...sources, ...texts).slice(0, 12);
  const path = join(root, 'build', `${name}-${key}${suffix}`);
  if (await exists(path)) return path;
  await buildFolder(dirname(path));
  const work = mkdtempSync(join(dirname(path), `${name}-`));
  return unfinished(work, async () => {
    const objects = sources.map((s) => join(work, `${s}.o`));
    const next = sources.entries();
    const compile = async (): Promise<void> => {
      for (const [i, s] of next) await compileCpp([...flags, ...own.filter((o) => /^-[DI]/.test(o)), '-c', join(directory, s), '-o', objects[i]], `runtime/native/${s}`);
    };
    await Promise.all([compile(), compile()]);
    await compileCpp([...flags, ...objects, ...own, '-o', join(work, 'linked')], `runtime/native (${name})`);
    await rename(join(work, 'linked'), path);
    return path;
  });
}
