/**
 * Tile program -> C++ function
 *   void NAME(const void* const* views, const int64_t* dims, int64_t begin, int64_t end)
 * that runs programs begin .. end - 1 of the flattened grid. Rows of the grid are independent, so any split is right.
 */
import type { Program, Scalar, Statement } from '../../compiler/ir/kernel.js';
import { gcd } from '../../compiler/ir/divisors.js';
import { storedType } from './expression.js';
import { identifier, KernelContext, viewText, type Decisions } from './kernel-context.js';
import { layOutSlots } from './layout.js';
import type { Level } from './levels.js';
import { placeTiles } from './placement.js';
import { indexProgram } from './program-index.js';
import { strictLimit, type Bounds } from './scalar-text.js';
import { assignSlots } from './slots.js';
import { emitBody } from './statements.js';

/** Dynamic dims in the order in which the caller passes their values. */
export interface DimRange { readonly name: string; readonly max: number }

export interface EmittedKernel {
  readonly symbol: string;
  readonly text: string;
  readonly microkernels: ReadonlyMap<string, string>;
}

function kernelSymbol(name: string): string {
  return `firn_${identifier(name)}`;
}

export function emitKernel(program: Program, dims: readonly DimRange[], level: Level): EmittedKernel {
  const index = indexProgram(program);
  const places = placeTiles(program, index);
  const decisions: Decisions = { program, index, places, slotOf: assignSlots(index, places), slots: new Map(), forms: new Map(), level };
  const k = new KernelContext(decisions, new Map(dims.map((d) => [d.name, { text: `d_${identifier(d.name)}`, bounds: { lo: 0, hi: d.max, multiple: 1 } }])));
  program.grid.forEach((g) => defineVariable(k, g.name, { lo: 0, hi: Math.max(0, k.bounds(g.extent).hi - 1), multiple: 1 }, g.extent));
  defineVariables(k, program.body);
  layOutSlots(k);
  emitFrame(k, program, dims);
  const symbol = kernelSymbol(program.name);
  const comments = program.origin.map((o) => `// ${o.what.replace(/\s+/g, ' ')} (${o.where})`);
  const head = `extern "C" void ${symbol}(const void* const* views, const int64_t* dims, int64_t begin, int64_t end) {`;
  return { symbol, text: [...comments, head, ...k.lines, '}'].join('\n'), microkernels: k.microkernels };
}

function defineVariable(k: KernelContext, name: string, bounds: Bounds, below?: Scalar): void {
  k.define(name, `u_${identifier(name)}`, bounds, below);
}

/** Bounds of all variables, needed before anything is written; names are unique in a program. */
function defineVariables(k: KernelContext, body: readonly Statement[]): void {
  for (const s of body) {
    if (s.op === 'let') defineVariable(k, s.name, k.bounds(s.value), strictLimit(s.value));
    if (s.op === 'for') defineVariable(k, s.variable, loopBounds(k.bounds(s.lo), k.bounds(s.hi), s.step), s.hi);
    if (s.op === 'for' || s.op === 'if') defineVariables(k, s.body);
  }
}

function loopBounds(lo: Bounds, hi: Bounds, step: number): Bounds {
  const trips = Math.floor((hi.hi - 1 - lo.lo) / step);
  const last = Number.isFinite(trips) && lo.lo === lo.hi ? lo.lo + Math.max(0, trips) * step : hi.hi - 1;
  return { lo: lo.lo, hi: Math.max(lo.lo, last), multiple: gcd(lo.multiple, step) };
}

function emitFrame(k: KernelContext, program: Program, dims: readonly DimRange[]): void {
  program.views.forEach((v, i) => {
    const type = v.packing.kind === 'int4' || v.packing.kind === 'scaled' ? 'uint8_t' : storedType(v.dtype);
    const readOnly = v.access === 'read';
    // Launches may bind one buffer to several views, but then through equal indices only: restrict holds per program.
    k.line(`${readOnly ? 'const ' : ''}${type}* __restrict ${viewText(v.name)} = (${readOnly ? 'const ' : ''}${type}*)views[${i}];`);
  });
  const rest = k.capture(() => emitPrograms(k, program), 0);
  dims.forEach((d, i) => { if (rest.some((l) => l.includes(`d_${identifier(d.name)}`))) k.line(`const int64_t d_${identifier(d.name)} = dims[${i}];`); });
  k.lines.push(...rest);
}

function emitPrograms(k: KernelContext, program: Program): void {
  const extents = program.grid.map((g) => k.hoist(g.extent, 'grid'));
  k.block('for (int64_t program = begin; program < end; ++program) ', () => {
    program.grid.forEach((g, i) => k.line(`const int64_t u_${identifier(g.name)} = ${gridPlace(extents, i)};`));
    emitBody(k, program.body);
  });
}

function gridPlace(extents: readonly string[], i: number): string {
  const below = extents.slice(i + 1);
  const over = below.length === 0 ? 'program' : `program / (${below.join(' * ')})`;
  return i === 0 ? over : `${over} % ${extents[i]}`;
}

/** One translation unit of several kernels. */
export function emitSource(kernels: readonly EmittedKernel[]): string {
  const micro = new Map(kernels.flatMap((e) => [...e.microkernels]));
  const shared = [...micro.keys()].sort().map((name) => micro.get(name)!);
  return ['#include "kernel.h"', 'namespace {', ...shared, '}  // namespace', ...kernels.map((e) => e.text), ''].join('\n');
}

