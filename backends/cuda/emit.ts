/**
 * The lowered form as CUDA C++: plain text with inline PTX, no headers. Fragments are arrays of registers that loops with
 * constant bounds walk; addresses of shared memory are 32-bit numbers.
 */
import { printFunctions } from './device-functions.js';
import { StatementPrinter } from './emit-statements.js';
import { cType, dimName, kernelName, ValuePrinter, viewName } from './emit-values.js';
import type { Kernel, Role, TensorMap } from './lowered.js';
import { placeBuffers } from './shared-memory.js';

export interface CudaKernel {
  readonly name: string;
  readonly source: string;
  readonly threads: number;
  /** Dynamic shared memory to launch with. */
  readonly sharedBytes: number;
  /** Parameters in order: views, tensor maps, dims. */
  readonly parameters: readonly { readonly kind: 'view' | 'map' | 'dim'; readonly name: string }[];
  readonly maps: readonly TensorMap[];
  /** One block per program, or any number of blocks that walk the programs. */
  readonly persistent: boolean;
}

/** Most dynamic shared memory of a block. */
const sharedLimit = { sm_80: 163 * 1024, sm_90a: 227 * 1024 };

/** Throws if a block would need more shared memory or registers than there are. */
export function emitKernel(kernel: Kernel): CudaKernel {
  const { offsets, bytes } = placeBuffers(kernel.buffers);
  const barriers = new Map<string, number>();
  let end = bytes;
  for (const b of kernel.barriers) { barriers.set(b.name, end); end += b.slots * 8; }
  // The start is rounded up to where patterns of shared memory begin.
  const sharedBytes = end + 1024;
  if (sharedBytes > sharedLimit[kernel.architecture]) throw new Error(`CUDA emitter: '${kernel.name}' needs ${sharedBytes} bytes of shared memory, ${kernel.architecture} has ${sharedLimit[kernel.architecture]}`);
  const threads = kernel.roles.reduce((n, r) => n + r.warps * 32, 0);
  checkRegisters(kernel, threads);
  const functions = new Set<string>();
  const values = new ValuePrinter(kernel, functions, new Set(['tile', 'filled', 'block_index', 'block_count', ...kernel.grid.map((g) => g.name)]));
  const text = new StatementPrinter(values, { offsets, barriers });
  const body = kernel.roles.length === 1 ? printRole(kernel, text, kernel.roles[0], 0) : printRoles(kernel, text);
  const setup = printSetup(kernel, values, barriers);
  const parameters = [
    ...kernel.views.map((v) => ({ kind: 'view', name: v.name }) as const), ...kernel.maps.map((m) => ({ kind: 'map', name: m.name }) as const),
    ...kernel.dims.map((name) => ({ kind: 'dim', name }) as const),
  ];
  const source = [
    ...kernel.origin.map((o) => `// ${o.what}${o.where ? ` (${o.where})` : ''}`),
    ...(kernel.maps.length > 0 ? ['struct alignas(64) TensorMap { unsigned long long words[16]; };'] : []),
    printFunctions(functions), '',
    `extern "C" __global__ void __launch_bounds__(${threads}, 1) ${kernelName(kernel.name)}(`, `    ${printParameters(kernel).join(',\n    ')}) {`,
    ...setup.map((l) => `  ${l}`), ...body.map((l) => `  ${l}`), '}', '',
  ].join('\n');
  return { name: kernelName(kernel.name), source, threads, sharedBytes, parameters, maps: kernel.maps, persistent: kernel.roles.length > 1 };
}

/** setmaxnreg moves registers between warpgroups; together they have what the launch gave, or the block never starts. */
function checkRegisters(kernel: Kernel, threads: number): void {
  if (kernel.roles.some((r) => r.registers === undefined)) return;
  const launch = Math.floor(65536 / threads / 8) * 8 * threads;
  const wanted = kernel.roles.reduce((n, r) => n + r.warps * 32 * r.registers!, 0);
  if (wanted > launch) throw new Error(`CUDA emitter: the roles of '${kernel.name}' want ${wanted} registers, a block has ${launch}`);
}

function printParameters(kernel: Kernel): string[] {
  return [
    ...kernel.views.map((v) => `${v.access === 'read' ? 'const ' : ''}${cType(v.dtype)}* __restrict__ ${viewName(v.name)}`),
    ...kernel.maps.map((m) => `const __grid_constant__ TensorMap ${kernelName(m.name)}`),
    ...kernel.dims.map((d) => `int ${dimName(d)}`),
  ];
}

function printSetup(kernel: Kernel, values: ValuePrinter, barriers: ReadonlyMap<string, number>): string[] {
  const lines = [
    'extern __shared__ unsigned char dynamic_shared[];',
    'const unsigned shared = ((unsigned)__cvta_generic_to_shared(dynamic_shared) + 1023u) & ~1023u;',
    'const int lane = threadIdx.x & 31;',
  ];
  if (kernel.barriers.length === 0) return lines;
  values.use('init_barrier');
  values.use('fence_barriers');
  const inits = kernel.barriers.map((b) => `  for (int i = 0; i < ${b.slots}; ++i) init_barrier(shared + ${barriers.get(b.name)} + i * 8, ${b.arrivals});`);
  return [...lines, 'if (threadIdx.x == 0) {', ...inits, '  fence_barriers();', '}', '__syncthreads();'];
}

function printRoles(kernel: Kernel, text: StatementPrinter): string[] {
  let first = 0;
  return kernel.roles.flatMap((role, i) => {
    const lines = printRole(kernel, text, role, first);
    first += role.warps;
    const head = i === kernel.roles.length - 1 ? '} else {' : `${i === 0 ? '' : '} else '}if (threadIdx.x < ${first * 32}) {`;
    return [`${head}  // ${role.name}`, ...lines.map((l) => `  ${l}`), ...(i === kernel.roles.length - 1 ? ['}'] : [])];
  });
}

function printRole(kernel: Kernel, text: StatementPrinter, role: Role, first: number): string[] {
  const initial = Math.floor(65536 / kernel.roles.reduce((n, r) => n + r.warps * 32, 0) / 8) * 8;
  const registers = role.registers === undefined ? [] : [text.setRegisters(role.registers, initial)];
  const body = text.role(role, first);
  return [...registers, ...body];
}
