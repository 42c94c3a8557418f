/** One check per thing that some part of firn can use. None changes anything, and a check that fails is a finding. */
import { execFile } from 'node:child_process';
import { access, constants, readdir, readFile, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory, compilerName, compilerVersion } from '../backends/cpu/build.js';
import { chooseLevel } from '../backends/cpu/levels.js';
import { describeAdapter } from '../backends/wgsl/device.js';
import { nodeGpu } from '../backends/wgsl/node.js';
import { formatBytes } from './terminal.js';

const run = promisify(execFile);

export interface Finding {
  readonly what: string;
  readonly status: 'ok' | 'limited' | 'missing';
  /** What is there, in words. */
  readonly found: string;
  /** What cannot be done, where the status is not ok. */
  readonly without?: string;
  /** The command that installs it. */
  readonly fix?: string;
}

/** In the order of how much depends on them. */
export async function examine(): Promise<Finding[]> {
  return Promise.all([checkNode(), checkProcessor(), checkMemory(), checkCompiler(), checkCache(), checkVulkan(), checkAdapter(), checkCudaDriver(), checkNvcc(), checkChromium()]);
}

async function checkNode(): Promise<Finding> {
  return { what: 'Node', status: 'ok', found: `${process.versions.node} on ${process.platform} ${process.arch}` };
}

async function checkProcessor(): Promise<Finding> {
  const found = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} threads`;
  try {
    return { what: 'processor', status: 'ok', found: `${found}, ${(await chooseLevel()).label}` };
  } catch (error) {
    return { what: 'processor', status: 'limited', found: `${found}: ${(error as Error).message.split('\n')[0]}`, without: 'device cpu; wgsl and reference run' };
  }
}

async function checkMemory(): Promise<Finding> {
  return { what: 'memory', status: 'ok', found: `${formatBytes(totalmem())}, ${formatBytes(freemem())} free` };
}

async function checkCompiler(): Promise<Finding> {
  try {
    return { what: 'C++ compiler', status: 'ok', found: await compilerVersion() };
  } catch {
    return { what: 'C++ compiler', status: 'missing', found: `'${compilerName}' does not run`, without: 'device cpu (reference is slow, wgsl needs a GPU)', fix: 'sudo apt-get install -y g++' };
  }
}

/** Compiled kernels are kept here. */
async function checkCache(): Promise<Finding> {
  const folder = cacheDirectory();
  let at = folder;
  while (!(await exists(at)) && dirname(at) !== at) at = dirname(at);
  const writable = await access(at, constants.W_OK).then(() => true, () => false);
  const space = await statfs(at).then((s) => s.bavail * s.bsize, () => 0);
  if (!writable) return { what: 'kernel cache', status: 'missing', found: `${folder} cannot be written`, without: 'device cpu', fix: `export XDG_CACHE_HOME=FOLDER_THAT_CAN_BE_WRITTEN` };
  const low = space < 200e6;
  return { what: 'kernel cache', status: low ? 'limited' : 'ok', found: `${folder}, ${formatBytes(space)} free`, ...(low ? { without: 'room for many models\' kernels', fix: `rm -r ${folder}` } : {}) };
}

const vulkanFix = 'sudo apt-get install -y mesa-vulkan-drivers libvulkan1    (Debian 12: from bookworm-backports; or the driver of the GPU\'s maker)';

async function checkVulkan(): Promise<Finding> {
  const folders = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];
  const drivers = (await Promise.all(folders.map((f) => readdir(f).catch(() => [])))).flat().filter((n) => n.endsWith('.json')).map((n) => n.replace(/\.json$/, ''));
  if (drivers.length === 0) return { what: 'Vulkan', status: 'missing', found: 'no driver', without: 'device wgsl', fix: vulkanFix };
  return { what: 'Vulkan', status: 'ok', found: drivers.join(', ') };
}

async function checkAdapter(): Promise<Finding> {
  try {
    const adapter = await describeAdapter(await nodeGpu());
    if (adapter === undefined) return { what: 'WebGPU', status: 'missing', found: 'no adapter', without: 'device wgsl', fix: vulkanFix };
    if (adapter.software) return { what: 'WebGPU', status: 'limited', found: `${adapter.description}, in software`, without: 'speed on device wgsl: it runs, on the processor' };
    return { what: 'WebGPU', status: 'ok', found: adapter.description };
  } catch (error) {
    const { message, fix } = error as Error & { fix?: string };
    return { what: 'WebGPU', status: 'missing', found: message.split('\n')[0], without: 'device wgsl (browsers have their own)', fix: fix ?? 'npm install webgpu' };
  }
}

async function checkCudaDriver(): Promise<Finding> {
  const gpus = await outputOf('nvidia-smi', ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']);
  if (gpus !== undefined) return { what: 'CUDA driver', status: 'ok', found: gpus.split('\n').join('; ') };
  const without = 'nothing yet: no command runs on CUDA';
  const version = await readFile('/proc/driver/nvidia/version', 'utf8').then((t) => t.split('\n')[0], () => undefined);
  return version === undefined ? { what: 'CUDA driver', status: 'missing', found: 'no NVIDIA driver', without, fix: 'sudo apt-get install -y nvidia-driver    (with an NVIDIA GPU)' }
    : { what: 'CUDA driver', status: 'limited', found: `${version}, but nvidia-smi does not run`, without };
}

async function checkNvcc(): Promise<Finding> {
  const text = await outputOf('nvcc', ['--version']);
  const release = /release ([\d.]+)/.exec(text ?? '')?.[1];
  return release === undefined ? { what: 'nvcc', status: 'missing', found: 'not in PATH', without: 'nothing yet: no command compiles CUDA', fix: 'sudo apt-get install -y nvidia-cuda-toolkit' }
    : { what: 'nvcc', status: 'ok', found: `CUDA ${release}` };
}

async function checkChromium(): Promise<Finding> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    const path = await inPath(name);
    if (path !== undefined) return { what: 'Chromium', status: 'ok', found: path };
  }
  return { what: 'Chromium', status: 'missing', found: 'not in PATH', without: 'tests of the web page; pages can be written', fix: 'sudo apt-get install -y --no-install-recommends chromium' };
}

async function outputOf(command: string, args: readonly string[]): Promise<string | undefined> {
  return run(command, [...args], { timeout: 10_000 }).then(({ stdout }) => stdout.trim(), () => undefined);
}

async function inPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
