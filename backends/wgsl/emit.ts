/**
 * Tile program -> WGSL. One workgroup runs one program of the grid; its invocations divide the elements of every tile
 * (see `distribution.ts`), and what lives where is decided in `placement.ts`.
 */
import { isCoded } from '../../compiler/kernels/packing-address.js';
import type { Program, View } from '../../compiler/ir/kernel.js';
import { affineText, constant, constantOf, divide, int32, modulo, multiply, ofAtom, parenthesised, rangeOf, type Affine, type Bind } from './affine.js';
import { plainBindings, type KernelBindings } from './bindings.js';
import { libraryNames, libraryText } from './functions.js';
import { KernelPlan } from './kernel-plan.js';
import { KernelWriter } from './kernel-writer.js';
import { gpuTuning, type Tuning } from './tuning.js';
import { VectorArrays } from './vectors.js';
import { arrayName, arrayType, safeName, type ViewAccess } from './views.js';
import { writeBody } from './write-statements.js';

export interface Shader {
  readonly code: string;
  /** Equal for shaders that do the same, whatever their views are called and wherever they come from. */
  readonly key: string;
  /** Entry point. */
  readonly entry: 'main';
  /** Invocations per workgroup. */
  readonly invocations: number;
  readonly bindings: KernelBindings;
  /** Views whose start is a word count in the launch parameters (group 1, binding 1), in order. */
  readonly offsets: readonly string[];
}

/** Workgroups per dimension that WebGPU grants by default; larger grids are folded into two. */
export const maxWorkgroups = 65535;

export interface EmitOptions {
  /** How views are bound; one binding each if absent, with the dims that the program names. */
  readonly bindings?: KernelBindings;
  readonly tuning?: Tuning;
}

export function emitWgsl(program: Program, options: EmitOptions = {}): Shader {
  const bindings = options.bindings ?? plainBindings(program, dimsOf(program));
  const plan = new KernelPlan(program, options.tuning ?? gpuTuning);
  // Written once with every array that could be one of vectors, then with those where that saves reads.
  const first = writeKernel(program, plan, bindings, new VectorArrays(vectorCandidates(program, plan, bindings)));
  const writer = writeKernel(program, plan, bindings, new VectorArrays(first.vectors.worthwhile()));
  const offsets = program.views.filter((_, i) => bindings.views[i].offset === 'words').map((v) => v.name);
  const text = writer.scope.lines.map((l) => `  ${l}`).join('\n');
  const shuffles = text.includes('subgroupShuffle(');
  const code = [
    ...header(program, plan), ...(shuffles ? ['enable subgroups;', 'diagnostic(off, subgroup_uniformity);'] : []), ...declarations(writer, bindings, offsets), '', ...library(text), `@compute @workgroup_size(${plan.invocations})`,
    'fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32' + (shuffles ? ', @builtin(subgroup_invocation_id) in_subgroup: u32) {' : ') {'),
    '  let lid = i32(local);', ...(shuffles ? ['  let lane = i32(in_subgroup);'] : []), ...(/\* one\b/.test(text) ? ['  let one = i32(workgroups.z);'] : []), text, '}', '',
  ].join('\n');
  return { code, key: anonymous(program, bindings, code), entry: 'main', invocations: plan.invocations, bindings, offsets };
}

function writeKernel(program: Program, plan: KernelPlan, bindings: KernelBindings, vectors: VectorArrays): KernelWriter {
  const accesses = viewAccesses(program, bindings, vectors);
  const views = new Map<string, ViewAccess>();
  const writer = new KernelWriter(program, plan, views, vectors);
  for (const a of accesses) views.set(a.view.name, { ...a, extents: a.view.axes.map((axis) => writer.scalar(axis.extent)) });
  gridVariables(writer);
  writeBody(writer, program.body);
  return writer;
}

/** Workgroup arrays of floats, and read-only storage of plain elements. */
function vectorCandidates(program: Program, plan: KernelPlan, bindings: KernelBindings): Set<string> {
  const out = new Set(plan.arrays.filter((a) => a.type === 'f32').map((a) => a.name));
  program.views.forEach((view, i) => {
    const { binding, access } = bindings.views[i];
    if (access === 'read' && !isCoded(view.packing) && arrayType(program, bindings, binding) !== 'i32') out.add(arrayName(program, bindings, binding));
  });
  return out;
}

/** `code` without comments and with arrays named by their bindings. */
function anonymous(program: Program, bindings: KernelBindings, code: string): string {
  const names = new Map(bindings.views.map((v) => [arrayName(program, bindings, v.binding), `array${v.binding}`]));
  return code.replace(/^ *\/\/.*\n/gm, '').replace(/\b(v|read_v|write_v|merge_v)_\w+/g, (name) => names.get(name) ?? name);
}

/** Dynamic dims that a program names, sorted. */
export function dimsOf(program: Program): string[] {
  const names = new Set<string>();
  JSON.stringify(program, (_, v: unknown) => {
    if (typeof v === 'object' && v !== null && (v as { kind?: unknown }).kind === 'dim') names.add((v as { name: string }).name);
    return v;
  });
  return [...names].sort();
}

function viewAccesses(program: Program, bindings: KernelBindings, vectors: VectorArrays): ViewAccess[] {
  const halves = new Set(program.views.flatMap((v, i) => (v.access !== 'read' && isHalf(v) ? [bindings.views[i].binding] : [])));
  return program.views.map((view, i) => {
    const bound = bindings.views[i];
    return {
      view, bound, array: arrayName(program, bindings, bound.binding), stored: arrayType(program, bindings, bound.binding), extents: [],
      half: isHalf(view), functions: halves.has(bound.binding), vectors,
    };
  });
}

const isHalf = (v: View): boolean => !isCoded(v.packing) && (v.dtype === 'bf16' || v.dtype === 'f16');

/** Defines the grid's axes from the workgroup's number and ends workgroups beyond the grid. */
function gridVariables(w: KernelWriter): void {
  w.scope.line('let program = i32(workgroup.y * workgroups.x + workgroup.x);');
  const extents = w.program.grid.map((g) => w.scalar(g.extent));
  const total = extents.reduce((a, b) => multiply(a, b, w.scope.bind), constant(1));
  const { max } = rangeOf(total);
  let rest: Affine = ofAtom({ text: 'program', min: 0, max: Math.max(0, Math.min(max, int32.max) - 1), level: 0 });
  for (let i = extents.length - 1; i >= 0; i--) {
    const [own, outer] = i === 0 ? [rest, rest] : splitIndex(rest, extents[i], w.scope.bind);
    w.variables.set(w.program.grid[i].name, bounded(own, extents[i]));
    rest = outer;
  }
  if (constantOf(total) === undefined || max > maxWorkgroups) w.scope.line(`if (program >= ${affineText(total)}) { return; }`);
}

/** index mod extent and index / extent. */
function splitIndex(index: Affine, extent: Affine, bind: Bind): [Affine, Affine] {
  const size = constantOf(extent);
  if (size !== undefined) return [modulo(index, size, bind), divide(index, size, bind)];
  const [a, b] = [parenthesised(index), parenthesised(extent)];
  return [ofAtom(bind(`${a} % ${b}`, 0, int32.max, 0)), ofAtom(bind(`${a} / ${b}`, 0, int32.max, 0))];
}

/** A grid index with what is known of it: workgroups beyond the grid have returned. */
function bounded(index: Affine, extent: Affine): Affine {
  if (index.terms.length !== 1 || index.terms[0].factor !== 1 || index.constant !== 0) return index;
  const { atom } = index.terms[0];
  return ofAtom({ ...atom, max: Math.min(atom.max, rangeOf(extent).max - 1), below: affineText(extent) });
}

function header(program: Program, plan: KernelPlan): string[] {
  const origins = program.origin.map((o) => `//   ${o.where}: ${o.what}`);
  return [`// ${program.name}: ${plan.invocations} invocations per program`, ...(origins.length > 0 ? ['// from', ...origins] : [])];
}

function declarations(w: KernelWriter, bindings: KernelBindings, offsets: readonly string[]): string[] {
  const { program } = w;
  const lines: string[] = [];
  const done = new Set<number>();
  program.views.forEach((_, i) => {
    const { binding, access } = bindings.views[i];
    if (done.has(binding)) return;
    done.add(binding);
    const array = arrayName(program, bindings, binding);
    const atomic = w.merged.has(array);
    const type = arrayType(program, bindings, binding);
    lines.push(`@group(0) @binding(${binding}) var<storage, ${access}> ${array}: array<${atomic ? `atomic<${type}>` : w.vectors.has(array) ? `vec4<${type}>` : type}>;`);
    if (w.view(program.views[i].name).functions) lines.push(...wordFunctions(array, atomic));
  });
  if (bindings.dims.length > 0) lines.push(uniform('Dims', 'dims', 0, bindings.dims));
  if (offsets.length > 0) lines.push(uniform('Launch', 'launch', 1, offsets.map(safeName)));
  for (const a of w.plan.arrays) lines.push(`var<workgroup> ${a.name}: array<${w.vectors.has(a.name) ? `vec4<${a.type}>, ${a.elements / 4}` : `${a.type}, ${a.elements}`}>;`);
  if (w.usesBroadcast) lines.push('var<workgroup> uniform_word: i32;');
  return lines;
}

const uniform = (type: string, name: string, binding: number, members: readonly string[]): string =>
  `struct ${type} { ${members.map((m) => `${m}: i32`).join(', ')} }\n@group(1) @binding(${binding}) var<uniform> ${name}: ${type};`;

/** Access to words of which two programs may write a half each. */
function wordFunctions(array: string, atomic: boolean): string[] {
  if (!atomic) return [`fn read_${array}(i: i32) -> u32 { return ${array}[i]; }`, `fn write_${array}(i: i32, word: u32) { ${array}[i] = word; }`];
  return [
    `fn read_${array}(i: i32) -> u32 { return atomicLoad(&${array}[i]); }`,
    `fn write_${array}(i: i32, word: u32) { atomicStore(&${array}[i], word); }`,
    `fn merge_${array}(i: i32, word: u32, mask: u32) { atomicAnd(&${array}[i], ~mask); atomicOr(&${array}[i], word); }`,
  ];
}

/** Helper functions that `text` calls. */
function library(text: string): string[] {
  const called = libraryText(new Set(libraryNames.filter((name) => new RegExp(`\\b${name}\\(`).test(text))));
  return called.length > 0 ? [...called, ''] : [];
}
