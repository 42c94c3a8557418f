/** What a run asks for, checked once for every device against the plan: names, dims, types and lengths. */
import { dtypeBytes, type DType } from '../compiler/ir/dtype.js';
import type { Entry, Plan, Port } from '../compiler/ir/plan.js';
import { evaluateScalar } from '../compiler/kernels/scalar.js';
import { DeviceError, type DimValues, type HostArray } from './device.js';

export interface RunRequest {
  readonly entry: Entry;
  /** Every dim of the plan that the entry may use; those that no entry states at their largest value. */
  readonly dims: DimValues;
  readonly inputs: readonly { readonly port: Port; readonly bytes: Uint8Array }[];
  readonly outputs: readonly Port[];
}

/** Throws DeviceError: D10 entry, D11 and D12 dims, D13 to D15 inputs, D16 outputs. */
export function checkRun(plan: Plan, entryName: string, dims: DimValues, inputs: Readonly<Record<string, HostArray>>, outputs: readonly string[]): RunRequest {
  const entry = plan.entries.find((e) => e.name === entryName);
  if (!entry) throw new DeviceError('D10', `the plan has no entry '${entryName}'`, `use one of: ${plan.entries.map((e) => e.name).join(', ')}`);
  const values = { ...fixedDims(plan), ...checkDims(entry, dims) };
  for (const name of Object.keys(inputs)) {
    if (!entry.inputs.some((p) => p.name === name)) throw new DeviceError('D14', `entry '${entryName}' has no input '${name}'`, `pass only: ${entry.inputs.map((p) => p.name).join(', ')}`);
  }
  return {
    entry, dims: values,
    inputs: entry.inputs.map((port) => ({ port, bytes: checkInput(entryName, port, inputs[port.name], values) })),
    outputs: outputs.map((name) => {
      const port = entry.outputs.find((p) => p.name === name);
      if (!port) throw new DeviceError('D16', `entry '${entryName}' has no output '${name}'`, `ask for: ${entry.outputs.map((p) => p.name).join(', ')}`);
      return port;
    }),
  };
}

/** Dims that are set when the plan is loaded (`slots`, `pool`): those that no entry states. */
function fixedDims(plan: Plan): DimValues {
  const stated = new Set(plan.entries.flatMap((e) => e.dims.map((d) => d.name)));
  return Object.fromEntries(plan.dims.filter((d) => !stated.has(d.name)).map((d) => [d.name, d.max]));
}

function checkDims(entry: Entry, dims: DimValues): DimValues {
  const known = new Map(entry.dims.map((d) => [d.name, d.max]));
  for (const [name, value] of Object.entries(dims)) {
    const max = known.get(name);
    if (max === undefined) throw new DeviceError('D11', `entry '${entry.name}' has no dim '${name}'`, `state: ${[...known.keys()].join(', ')}`);
    if (!Number.isInteger(value) || value < 0 || value > max) throw new DeviceError('D12', `dim '${name}' is ${value}, entry '${entry.name}' was compiled for 0 to ${max}`, 'split the work over several runs, or compile for a larger maximum');
  }
  for (const name of known.keys()) if (!(name in dims)) throw new DeviceError('D11', `dim '${name}' of entry '${entry.name}' has no value`, `state: ${[...known.keys()].join(', ')}`);
  return dims;
}

function checkInput(entry: string, port: Port, data: HostArray | undefined, dims: DimValues): Uint8Array {
  if (!data) throw new DeviceError('D13', `entry '${entry}' misses its input '${port.name}'`, `pass ${port.dtype} [${portShape(port, dims).join(', ')}]`);
  const elements = portShape(port, dims).reduce((n, e) => n * e, 1);
  const wanted = hostArray(port.dtype);
  if (!(data instanceof wanted) || data.length !== elements) {
    throw new DeviceError('D15', `input '${port.name}' is a ${data.constructor.name} of ${data.length}`, `pass a ${wanted.name} of ${elements} (${port.dtype} [${portShape(port, dims).join(', ')}])`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export function portShape(port: Port, dims: DimValues): number[] {
  return port.shape.map((s) => evaluateScalar(s, { dims }));
}

/** 16-bit floats are exchanged as their bits, bool as 0 and 1. */
export function hostArray(dtype: DType): Float32ArrayConstructor | Int32ArrayConstructor | Uint32ArrayConstructor | Uint16ArrayConstructor {
  switch (dtype) {
    case 'f32': return Float32Array;
    case 'i32': return Int32Array;
    case 'u32': case 'bool': return Uint32Array;
    case 'bf16': case 'f16': return Uint16Array;
  }
}

/** Where the pieces of a port lie, in bytes from its region's start, in row-major order, and how long each is. */
export function portPieces(port: Port, dims: DimValues): { readonly starts: readonly number[]; readonly bytes: number } {
  const stretches = port.stretches ?? [];
  const bytes = portShape(port, dims).slice(stretches.length).reduce((n, e) => n * e, dtypeBytes(port.dtype));
  const starts = stretches.reduce((list: readonly number[], s) => list.flatMap((x) => Array.from({ length: s.count }, (_, i) => x + i * s.stride)), [0]);
  return { starts, bytes };
}

/** Joins the pieces that `read` yields into one array of the port's type. */
export function readPort(port: Port, dims: DimValues, read: (offset: number, bytes: number) => Uint8Array): HostArray {
  const { starts, bytes } = portPieces(port, dims);
  const joined = new Uint8Array(starts.length * bytes);
  starts.forEach((start, i) => joined.set(read(port.region.offset.base + start, bytes), i * bytes));
  return new (hostArray(port.dtype))(joined.buffer);
}

/** Throws D17 unless bytes [offset, offset + bytes) of `buffer` may be accessed so. */
export function checkAccess(plan: Plan, buffer: string, offset: number, bytes: number, rank: number, writing: boolean): void {
  const found = plan.buffers.find((b) => b.id === buffer);
  const fail = (why: string): never => { throw new DeviceError('D17', `${writing ? 'writing' : 'reading'} buffer '${buffer}': ${why}`, `the plan's buffers are: ${plan.buffers.map((b) => `${b.id} (${b.bytes} bytes)`).join(', ')}`); };
  if (!found) return fail('the plan has no such buffer');
  if (!(offset >= 0 && bytes >= 0 && offset + bytes <= found.bytes)) fail(`bytes ${offset} to ${offset + bytes} of ${found.bytes}`);
  if (!(Number.isInteger(rank) && rank >= 0 && rank < plan.ranks)) fail(`rank ${rank} of ${plan.ranks}`);
  if (writing && !['weights', 'state', 'constants'].includes(found.kind)) fail(`it is a ${found.kind} buffer, which only runs write`);
}
