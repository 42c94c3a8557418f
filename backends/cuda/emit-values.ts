/** CUDA C++ text of scalars, places and values. */
import type { DType } from '../../compiler/ir/dtype.js';
import type { Scalar } from '../../compiler/ir/kernel.js';
import { constantOf } from '../../compiler/kernels/scalar.js';
import { registerMap, type Layout, type Place } from './layout.js';
import type { Fragment, GlobalView, Kernel, Position, Value } from './lowered.js';

const identifier = (name: string): string => name.replace(/\W+/g, '_');

/** Names of the program get a prefix each, so that they meet neither each other nor the emitter's own. */
export const variableName = (name: string): string => `at_${identifier(name)}`;
export const viewName = (name: string): string => `view_${identifier(name)}`;
export const dimName = (name: string): string => `dim_${identifier(name)}`;
export const kernelName = identifier;

export function cType(dtype: DType | 'words'): string {
  switch (dtype) {
    case 'f32': return 'float';
    case 'bf16': case 'f16': return 'unsigned short';
    case 'i32': return 'int';
    case 'u32': case 'words': case 'bool': return 'unsigned';
  }
}

export function literal(value: number, dtype: DType): string {
  if (dtype === 'bool') return value !== 0 ? 'true' : 'false';
  if (dtype === 'i32') return String(Math.trunc(value));
  if (dtype === 'u32') return `${Math.trunc(value) >>> 0}u`;
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) return Number.isNaN(rounded) ? '__int_as_float(0x7fffffff)' : `${rounded < 0 ? '-' : ''}__int_as_float(0x7f800000)`;
  const text = String(rounded);
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}

/** sum of bits of `variable` times their images, neighbours whose images double taken together; '' for zero. */
export function linear(variable: string, images: readonly number[]): string {
  const parts: string[] = [];
  for (let bit = 0; bit < images.length;) {
    if (images[bit] === 0) { bit++; continue; }
    let count = 1;
    while (bit + count < images.length && images[bit + count] === images[bit] << count) count++;
    const taken = `(${bit === 0 ? variable : `${variable} >> ${bit}`} & ${(1 << count) - 1})`;
    parts.push(images[bit] === 1 ? taken : `${taken} * ${images[bit]}`);
    bit += count;
  }
  return parts.join(' + ');
}

export const along = (bases: readonly Place[], axis: number): number[] => bases.map((p) => p[axis]);

/** What values are printed with: the functions they use, and lines that must come before them. */
export class ValuePrinter {
  private temporaries = 0;
  readonly layouts = new Map<string, { readonly layout: Layout; readonly name: string }>();

  constructor(readonly kernel: Kernel, readonly functions: Set<string>, private readonly positive: Set<string>) {}

  use(name: string): string { this.functions.add(name); return name; }

  view(name: string): GlobalView { return this.kernel.views.find((v) => v.name === name)!; }

  fragment(id: number): Fragment { return this.kernel.fragments[id]; }

  isPositive(s: Scalar): boolean {
    switch (s.kind) {
      case 'int': return s.value >= 0;
      case 'dim': return true;
      case 'var': return this.positive.has(s.name);
      case 'add': case 'multiply': case 'divide': case 'mod': return this.isPositive(s.a) && this.isPositive(s.b);
      case 'less': return true;
      case 'maximum': return this.isPositive(s.a) || this.isPositive(s.b);
      case 'minimum': return this.isPositive(s.a) && this.isPositive(s.b);
      case 'subtract': case 'element': return false;
    }
  }

  markPositive(name: string): void { this.positive.add(name); }

  scalar(s: Scalar): string {
    switch (s.kind) {
      case 'int': return String(s.value);
      case 'dim': return dimName(s.name);
      case 'var': return s.name === 'block_index' ? '(int)blockIdx.x' : s.name === 'block_count' ? '(int)gridDim.x' : variableName(s.name);
      case 'element': return this.element(s);
      case 'add': return s.b.kind === 'int' && s.b.value < 0 ? `(${this.scalar(s.a)} - ${-s.b.value})` : `(${this.scalar(s.a)} + ${this.scalar(s.b)})`;
      case 'subtract': return `(${this.scalar(s.a)} - ${this.scalar(s.b)})`;
      case 'multiply': return `(${this.scalar(s.a)} * ${this.scalar(s.b)})`;
      case 'divide': case 'mod': return this.division(s.kind, this.scalar(s.a), this.scalar(s.b), constantOf(s.b), this.isPositive(s));
      case 'minimum': return `min(${this.scalar(s.a)}, ${this.scalar(s.b)})`;
      case 'maximum': return `max(${this.scalar(s.a)}, ${this.scalar(s.b)})`;
      case 'less': return `(${this.scalar(s.a)} < ${this.scalar(s.b)})`;
    }
  }

  private division(kind: 'divide' | 'mod', a: string, b: string, constant: number | undefined, positive: boolean): string {
    const bits = constant === undefined ? NaN : Math.log2(constant);
    if (Number.isInteger(bits) && bits >= 0) return kind === 'divide' ? `(${a} >> ${bits})` : `(${a} & ${constant! - 1})`;
    if (positive) return `(int)((unsigned)${a} ${kind === 'divide' ? '/' : '%'} (unsigned)${b})`;
    return `${this.use(kind === 'divide' ? 'floor_divide' : 'floor_mod')}(${a}, ${b})`;
  }

  private element(s: Scalar & { kind: 'element' }): string {
    const view = this.view(s.view);
    const at = s.at.map((a) => this.scalar(a));
    const guards = at.flatMap((a, d) => (isWithin(s.at[d], view.extents[d]) ? [] : [`(unsigned)${a} < (unsigned)${this.scalar(view.extents[d])}`]));
    const read = `${viewName(s.view)}[${this.offset(view, at)}]`;
    return guards.length === 0 ? read : `(${guards.join(' && ')} ? ${read} : 0)`;
  }

  /** Element offset; the outermost product in 64 bits. */
  offset(view: GlobalView, at: readonly string[]): string {
    const terms = at.map((a, d) => {
      const stride = view.strides ? String(view.strides[d]) : view.extents.slice(d + 1).reduce((text, e) => (text === '1' ? this.scalar(e) : `${text} * ${this.scalar(e)}`), '1');
      return stride === '1' ? a : `(long long)${a} * (${stride})`;
    });
    return terms.join(' + ') || '0';
  }

  /** Registers that `register` of `layout` stands for in a fragment that lies as it or as a slice of it. */
  registerIn(id: number, layout: Layout, register: string): string {
    const map = registerMap(layout, this.fragment(id).layout);
    if (!map) throw new Error(`CUDA emitter: fragment '${this.fragment(id).name}' does not lie where it is used`);
    return map.every((image, i) => image === 1 << i) ? register : linear(register, map) || '0';
  }

  value(v: Value, scope: ValueScope): string {
    switch (v.kind) {
      case 'number': return literal(v.value, v.dtype);
      case 'coordinate': return scope.coordinate(v.axis);
      case 'scalar': return this.scalar(v.value);
      case 'fragment': return `${this.fragment(v.id).name}[${this.registerIn(v.id, scope.layout!, scope.register)}]`;
      case 'load': return this.load(v, scope);
      case 'cast': return this.cast(v, scope);
      case 'call': return this.call(v, scope);
    }
  }

  /** Index variables of a place and the conditions under which it exists, as lines before. */
  place(view: GlobalView, at: readonly Position[], scope: ValueScope): { at: string[]; guard: string } {
    const names = at.map((p) => this.hold('int', this.value(p.value, scope), scope));
    const guards = at.flatMap((p, d) => [
      ...(p.guarded ? [`(unsigned)${names[d]} < (unsigned)${this.scalar(view.extents[d])}`] : []),
      ...(p.limit ? [`${names[d]} < ${this.scalar(p.limit)}`] : []),
    ]);
    return { at: names, guard: guards.join(' && ') };
  }

  /** Names a text that is used more than once. */
  private hold(type: string, text: string, scope: ValueScope): string {
    if (/^\w+$/.test(text)) return text;
    const known = scope.held.get(text);
    if (known) return known;
    const name = `v${this.temporaries++}`;
    scope.lines.push(`const ${type} ${name} = ${text};`);
    scope.held.set(text, name);
    return name;
  }

  private load(v: Value & { kind: 'load' }, scope: ValueScope): string {
    const view = this.view(v.view);
    const { at, guard } = this.place(view, v.at, scope);
    const raw = `${viewName(v.view)}[${this.offset(view, at)}]`;
    const read = view.dtype === 'bf16' ? `${this.use('from_bf16')}(${raw})` : view.dtype === 'bool' ? `(${raw} != 0)` : raw;
    if (view.dtype === 'f16') throw new Error(`CUDA emitter: view '${v.view}' is f16`);
    const type = v.dtype === 'bf16' ? 'float' : v.dtype === 'bool' ? 'bool' : cType(v.dtype);
    return this.hold(type, guard ? `${guard} ? ${read} : ${literal(v.fill, v.dtype === 'bf16' ? 'f32' : v.dtype)}` : read, scope);
  }

  private cast(v: Value & { kind: 'cast' }, scope: ValueScope): string {
    const inner = this.value(v.value, scope);
    switch (v.to) {
      case 'f32': return v.from === 'f32' || v.from === 'bf16' ? inner : `(float)${inner}`;
      case 'bf16': return `${this.use('round_bf16')}(${inner})`;
      case 'i32': return `(int)${inner}`;
      case 'u32': return `(unsigned)${inner}`;
      case 'bool': return `(${inner} != 0)`;
      case 'f16': throw new Error('CUDA emitter: f16 values');
    }
  }

  private call(v: Value & { kind: 'call' }, scope: ValueScope): string {
    const args = v.args.map((a) => this.value(a, scope));
    const [a, b, c] = args;
    const float = v.dtype === 'f32';
    const infix: Readonly<Record<string, string>> = { add: '+', subtract: '-', multiply: '*', less: '<', less_equal: '<=', equal: '==', not_equal: '!=', and: '&&', or: '||' };
    if (infix[v.fn]) return `(${a} ${infix[v.fn]} ${b})`;
    const simple: Readonly<Record<string, string>> = {
      power: 'powf', floor: 'floorf', round: 'rintf', exp: 'expf', log: 'logf', sqrt: 'sqrtf', rsqrt: 'rsqrtf', tanh: 'tanhf', erf: 'erff', sin: 'sinf', cos: 'cosf',
    };
    if (simple[v.fn]) return `${simple[v.fn]}(${args.join(', ')})`;
    switch (v.fn) {
      case 'divide': return `(${a} / ${b})`;
      case 'minimum': case 'maximum': return `${float ? `f${v.fn.slice(0, 3)}f` : v.fn.slice(0, 3)}(${a}, ${b})`;
      case 'negate': return `(-${a})`;
      case 'absolute': return `${float ? 'fabsf' : 'abs'}(${a})`;
      case 'not': return `(!${a})`;
      case 'select': return `(${a} ? ${b} : ${c})`;
      case 'sigmoid': return `${this.use('logistic')}(${a})`;
      case 'softplus': case 'sign': case 'order': return `${this.use(v.fn)}(${a})`;
      case 'floor_divide': case 'mod': if (!float) return this.division(v.fn === 'mod' ? 'mod' : 'divide', a, b, v.args[1].kind === 'number' ? v.args[1].value : undefined, false);
    }
    throw new Error(`CUDA emitter: '${v.fn}' of ${v.dtype} has no text`);
  }
}

function isWithin(at: Scalar, extent: Scalar): boolean {
  const [a, e] = [constantOf(at), constantOf(extent)];
  return a !== undefined && e !== undefined && a >= 0 && a < e;
}

/** Where a value is printed: its register and coordinates, and the lines to put before it. */
export interface ValueScope {
  readonly layout?: Layout;
  readonly register: string;
  coordinate(axis: string): string;
  readonly lines: string[];
  /** Texts that have a name in `lines`. */
  readonly held: Map<string, string>;
}
