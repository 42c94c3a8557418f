/** CUDA C++ text of the statements of a role. */
import { constantOf, plus, toScalar } from '../../compiler/kernels/scalar.js';
import type { Scalar } from '../../compiler/ir/kernel.js';
import { int4MmaBlock } from '../../compiler/kernels/packing-address.js';
import { along, cType, kernelName, variableName, viewName, linear, type ValuePrinter, type ValueScope } from './emit-values.js';
import { registerCount, type Layout, type Place } from './layout.js';
import type { Role, Statement } from './lowered.js';
import { slotStride, type SharedBuffer } from './shared-memory.js';

export interface SharedPlaces { readonly offsets: ReadonlyMap<string, number>; readonly barriers: ReadonlyMap<string, number> }

const indent = (lines: readonly string[]): string[] => lines.map((l) => `  ${l}`);

export class StatementPrinter {
  private threads = 0;
  private threadPlaces = new Map<string, string>();
  private declared: string[] = [];

  constructor(private readonly v: ValuePrinter, private readonly places: SharedPlaces) {}

  setRegisters(count: number, initial: number): string {
    return count > initial ? `${this.v.use('raise_registers')}<${count}>();` : `${this.v.use('lower_registers')}<${count}>();`;
  }

  /** The body, after the fragments it uses and the places of its threads. */
  role(role: Role, first: number): string[] {
    this.threads = role.warps * 32;
    this.threadPlaces = new Map();
    this.declared = [];
    const body = this.body(role.body);
    const from = (n: number): string => (n === 0 ? '' : ` - ${n}`);
    const text = [...this.declared, ...body].join('\n');
    const threads = [`const int thread = threadIdx.x${from(first * 32)};`, `const int warp = (threadIdx.x >> 5)${from(first)};`].filter((l) => new RegExp(`\\b${l.split(' ')[2]}\\b`).test(text));
    const fragments = [...fragmentsOf(role.body)].map((id) => {
      const { name, dtype, layout } = this.v.fragment(id);
      const count = registerCount(layout);
      return dtype === 'bf16' ? `unsigned ${name}[${count / 2}];` : `${dtype === 'bool' ? 'bool' : cType(dtype)} ${name}[${count}];`;
    });
    return [...threads, ...this.declared, ...fragments, ...body];
  }

  private body(statements: readonly Statement[]): string[] { return statements.flatMap((s) => this.statement(s)); }

  private statement(s: Statement): string[] {
    const { v } = this;
    switch (s.op) {
      case 'let': return [`const int ${variableName(s.name)} = ${v.scalar(s.value)};`];
      case 'counter': return [`int ${variableName(s.name)} = 0;`];
      case 'count': return [`++${variableName(s.name)};`];
      case 'for': return this.loop(s);
      case 'if': return constantOf(s.condition) === 1 ? this.body(s.body) : [`if (${v.scalar(s.condition)}) {`, ...indent(this.body(s.body)), '}'];
      case 'compute': return this.compute(s);
      case 'reduce': return this.reduce(s);
      case 'store': return this.store(s);
      case 'copy': return this.copy(s);
      case 'commit': return [`${v.use('commit_copies')}();`];
      case 'wait_copies': return [`${v.use('wait_copies')}<${s.pending}>();`];
      case 'sync': return ['__syncthreads();'];
      case 'bulk': return this.bulk(s);
      case 'expect': return [`if (thread == 0) ${v.use('expect')}(${this.barrier(s.barrier, s.slot)}, ${s.bytes});`];
      case 'arrive': return ['__syncwarp();', `if (lane == 0) ${v.use('arrive')}(${this.barrier(s.barrier, s.slot)});`];
      case 'wait': return [`${v.use('wait_barrier')}(${this.barrier(s.barrier, s.slot)}, ${v.scalar(s.parity)});`];
      case 'load_matrix': return this.loadMatrix(s);
      case 'dequantize': return this.dequantize(s);
      case 'mma': return this.mma(s);
      case 'wgmma': return this.wgmma(s);
      case 'proxy_fence': case 'wgmma_fence': case 'wgmma_commit': return [`${v.use(s.op)}();`];
      case 'wgmma_wait': return [`${v.use('wgmma_wait')}<${s.pending}>();`];
    }
  }

  private loop(s: Statement & { op: 'for' }): string[] {
    if ((constantOf(s.lo) ?? -1) >= 0) this.v.markPositive(s.variable);
    const name = variableName(s.variable);
    const step = constantOf(s.step) === 1 ? `++${name}` : `${name} += ${this.v.scalar(s.step)}`;
    return [`#pragma unroll${s.unroll ? '' : ' 1'}`, `for (int ${name} = ${this.v.scalar(s.lo)}; ${name} < ${this.v.scalar(s.hi)}; ${step}) {`, ...indent(this.body(s.body)), '}'];
  }

  private barrier(name: string, slot: Scalar): string {
    return `shared + ${this.places.barriers.get(name)} + ${this.v.scalar(slot)} * 8`;
  }

  private buffer(name: string): SharedBuffer { return this.v.kernel.buffers.find((b) => b.name === name)!; }

  private slotStart(buffer: SharedBuffer, slot: Scalar): string {
    const base = `shared + ${this.places.offsets.get(buffer.name)}`;
    return constantOf(slot) === 0 ? base : `${base} + ${this.v.scalar(slot)} * ${slotStride(buffer)}`;
  }

  /** Offset of (row, byte) in a slot; both texts of integers. */
  private sharedOffset(buffer: SharedBuffer, row: string, byte: string): string {
    const { swizzle, rows, rowBytes } = buffer;
    if (swizzle === 0) return `(${row}) * ${rowBytes} + ${byte}`;
    const place = `((((${byte}) / ${swizzle}) * ${rows} + (${row})) * ${swizzle} + ((${byte}) % ${swizzle}))`;
    this.v.use(`swizzle_${swizzle}`);
    return `swizzle_${swizzle}(${place})`;
  }

  /** The part of a coordinate that depends on the thread, under a name. */
  private threadPlace(layout: Layout, axis: number): string {
    const text = [linear('lane', along(layout.lanes, axis)), linear('warp', along(layout.warps, axis))].filter((t) => t !== '').join(' + ') || '0';
    const known = this.threadPlaces.get(text);
    if (known) return known;
    const name = `place_${kernelName(layout.axes[axis].name)}_${this.threadPlaces.size}`;
    this.threadPlaces.set(text, name);
    this.declared.push(`const int ${name} = ${text};`);
    return name;
  }

  private coordinateText(layout: Layout, axis: number, register: string): string {
    const moved = linear(register, along(layout.registers, axis));
    const own = this.threadPlace(layout, axis);
    return moved === '' ? own : `(${own} + ${moved})`;
  }

  private scope(layout: Layout, register: string, lines: string[]): ValueScope {
    return {
      layout, register, lines, held: new Map(),
      coordinate: (axis) => {
        const at = layout.axes.findIndex((a) => a.name === axis);
        if (at < 0) throw new Error(`CUDA emitter: no coordinate '${axis}' in ${layout.axes.map((a) => a.name).join(', ')}`);
        return this.coordinateText(layout, at, register);
      },
    };
  }

  private compute(s: Statement & { op: 'compute' }): string[] {
    const { name, dtype, layout } = this.v.fragment(s.out);
    const count = registerCount(layout);
    const lines: string[] = [];
    if (dtype !== 'bf16') {
      const text = this.v.value(s.value, this.scope(layout, 'r', lines));
      return eachRegister(count, 1, [...lines, `${name}[r] = ${text};`]);
    }
    // Two neighbours share a register.
    const inner = s.value.kind === 'cast' ? s.value.value : s.value;
    const low = this.v.value(inner, this.scope(layout, 'r', lines));
    const high = this.v.value(inner, this.scope(layout, '(r + 1)', lines));
    return eachRegister(count, 2, [...lines, `${name}[r >> 1] = ${this.v.use('pack_bf16')}(${low}, ${high});`]);
  }

  private reduce(s: Statement & { op: 'reduce' }): string[] {
    const from = this.v.fragment(s.value);
    const to = this.v.fragment(s.out);
    const axis = from.layout.axes.findIndex((a) => a.name === s.axis);
    const combine = (a: string, b: string): string => (s.fn === 'add' ? `${a} + ${b}` : `f${s.fn.slice(0, 3)}f(${a}, ${b})`);
    const target = `${to.name}[${this.v.registerIn(s.out, from.layout, 'r')}]`;
    const mask = from.layout.registers.reduce((m, p, i) => (p[axis] !== 0 ? m | (1 << i) : m), 0);
    const value = `${from.name}[r]`;
    const shuffles = from.layout.lanes.flatMap((p, bit) => (p[axis] === 0 ? [] : [`${to.name}[r] = ${combine(`${to.name}[r]`, `__shfl_xor_sync(~0u, ${to.name}[r], ${1 << bit})`)};`]));
    return [
      ...eachRegister(registerCount(from.layout), 1, [`${target} = (r & ${mask}) == 0 ? ${value} : ${combine(target, value)};`]),
      ...eachRegister(registerCount(to.layout), 1, shuffles),
    ];
  }

  private store(s: Statement & { op: 'store' }): string[] {
    const { layout } = this.v.fragment(s.over);
    const view = this.v.view(s.view);
    const lines: string[] = [];
    const scope = this.scope(layout, 'r', lines);
    const { at, guard } = this.v.place(view, s.at, scope);
    const within = layout.axes.flatMap((a, i) => (s.within[i] < a.size ? [`${this.coordinateText(layout, i, 'r')} < ${s.within[i]}`] : []));
    const where = s.where ? [this.v.value(s.where, scope)] : [];
    const value = this.v.value(s.value, scope);
    const stored = view.dtype === 'bf16' ? `${this.v.use('to_bf16')}(${value})` : value;
    const conditions = [...within, ...(guard ? [guard] : []), ...where].join(' && ');
    const write = `${viewName(s.view)}[${this.v.offset(view, at)}] = ${stored};`;
    const body = eachRegister(registerCount(layout), 1, [...lines, conditions ? `if (${conditions}) ${write}` : write]);
    const idle = (name: string, bases: readonly Place[]): string[] => {
      const mask = bases.reduce((m, p, i) => (p.every((x) => x === 0) ? m | (1 << i) : m), 0);
      return mask === 0 ? [] : [`(${name} & ${mask}) == 0`];
    };
    const owner = [...idle('lane', layout.lanes), ...idle('warp', layout.warps)].join(' && ');
    return owner ? [`if (${owner}) {`, ...indent(body), '}'] : body;
  }

  private copy(s: Statement & { op: 'copy' }): string[] {
    const buffer = this.buffer(s.buffer);
    const view = this.v.view(s.view);
    const bytes = view.dtype === 'words' || view.dtype === 'f32' ? 4 : 2;
    const perRow = buffer.rowBytes / 16;
    const lines: string[] = [];
    const scope: ValueScope = { register: '0', lines, held: new Map(), coordinate: (axis) => (axis === s.row ? 'row' : 'column') };
    const { at, guard } = this.v.place(view, s.at, scope);
    const within = [...(s.within[0] < buffer.rows ? [`row < ${s.within[0]}`] : []), ...(s.within[1] * bytes < buffer.rowBytes ? [`column < ${s.within[1]}`] : [])];
    const valid = [...within, ...(guard ? [guard] : [])].join(' && ') || 'true';
    const total = buffer.rows * perRow;
    return [
      Math.ceil(total / this.threads) <= 16 ? '#pragma unroll' : '#pragma unroll 4', `for (int chunk = thread; chunk < ${total}; chunk += ${this.threads}) {`,
      ...indent([
        `const int row = chunk / ${perRow}, column = chunk % ${perRow} * ${16 / bytes};`, ...lines, `const bool valid = ${valid};`,
        `${this.v.use('copy_16')}(${this.slotStart(buffer, s.slot)} + ${this.sharedOffset(buffer, 'row', `column * ${bytes}`)}, ${viewName(s.view)} + (valid ? ${this.v.offset(view, at)} : 0), valid);`,
      ]), '}',
    ];
  }

  private bulk(s: Statement & { op: 'bulk' }): string[] {
    const buffer = this.buffer(s.buffer);
    const start = buffer.swizzle === 0 ? s.column : (s.column / buffer.swizzle) * buffer.rows * buffer.swizzle;
    const at = [...s.at].reverse().map((x) => this.v.scalar(x));
    return [`if (thread == 0) ${this.v.use(`bulk_${at.length}`)}(${this.slotStart(buffer, s.slot)}${start === 0 ? '' : ` + ${start}`}, &${kernelName(s.map)}, ${this.barrier(s.barrier, s.slot)}, ${at.join(', ')});`];
  }

  private loadMatrix(s: Statement & { op: 'load_matrix' }): string[] {
    const buffer = this.buffer(s.buffer);
    const { name, layout } = this.v.fragment(s.out);
    const perTile = s.side === 'left' ? 8 : 4;
    const tiles = registerCount(layout) / perTile;
    const together = s.side === 'left' ? 1 : Math.min(2, tiles);
    const own = this.coordinateOfTile(layout, `(i * ${perTile * together})`);
    const [row, column] = [this.v.scalar(s.row), this.v.scalar(s.column)];
    const k8 = s.side === 'left' ? '(lane >> 4) * 8' : '(lane >> 3 & 1) * 8';
    const own8 = s.side === 'left' ? '(lane & 15)' : together === 2 ? '(lane & 7) + (lane >> 4) * 8' : '(lane & 7)';
    const address = s.transposed
      ? this.sharedOffset(buffer, `${row} + (lane & 15)`, `(${column} + ${own}${together === 2 ? ' + (lane >> 4) * 8' : ''}) * 2`)
      : this.sharedOffset(buffer, `${row} + ${own} + ${own8}`, `(${column} + ${k8}) * 2`);
    const words = (perTile * together) / 2;
    const call = this.v.use(`load_matrix_${words}${s.transposed ? '_trans' : ''}`);
    return ['#pragma unroll', `for (int i = 0; i < ${tiles / together}; ++i) ${call}(${name} + i * ${words}, ${this.slotStart(buffer, s.slot)} + ${address});`];
  }

  /** Coordinate along the first axis where a matrix tile of the warp starts. */
  private coordinateOfTile(layout: Layout, register: string): string {
    return [linear('warp', along(layout.warps, 0)), linear(register, along(layout.registers, 0))].filter((t) => t !== '').join(' + ') || '0';
  }

  private dequantize(s: Statement & { op: 'dequantize' }): string[] {
    const buffer = this.buffer(s.buffer);
    const { name, layout } = this.v.fragment(s.out);
    const depth = layout.axes[1].size / 16;
    const tiles = registerCount(layout) / (8 * depth);
    const blockBytes = int4MmaBlock({ kind: 'int4-mma', order: [], lanes: '', width: 16, group: s.group }).words * 4;
    const first = s.step % 4;
    const own = this.coordinateOfTile(layout, `(i * ${8 * depth})`);
    const perScale = s.group / 16;
    const body = [
      `const unsigned at = ${this.slotStart(buffer, s.slot)} + ((${own}) >> 4) * ${buffer.rowBytes} + ${Math.floor(s.step / 4) * blockBytes};`,
      `unsigned codes[${depth}];`, `${this.v.use(`load_words_${depth}`) && 'load_words'}(codes, at + lane * 16 + ${first * 4});`,
      '#pragma unroll', `for (int k = 0; k < ${depth}; ++k) {`,
      ...indent([
        `const unsigned scales = at + ${512} + ((k + ${first}) / ${perScale} * 16 + (lane >> 2)) * 2;`,
        `const unsigned low = ${this.v.use('load_scale')}(scales), high = load_scale(scales + 16);`,
        '#pragma unroll', `for (int pair = 0; pair < 4; ++pair) ${name}[(i * ${depth} + k) * 4 + pair] = ${this.v.use('unpack_codes')}(codes[k], pair, pair & 1 ? high : low);`,
      ]), '}',
    ];
    return ['#pragma unroll', `for (int i = 0; i < ${tiles}; ++i) {`, ...indent(body), '}'];
  }

  private mma(s: Statement & { op: 'mma' }): string[] {
    const left = this.v.fragment(s.left.fragment);
    const depth = left.layout.axes[1].size / 16;
    const rows = registerCount(left.layout) / (8 * depth);
    const right = this.v.fragment(s.right);
    const columns = registerCount(right.layout) / 4;
    const step = this.v.scalar(s.left.step);
    return [
      '#pragma unroll', `for (int i = 0; i < ${rows}; ++i) {`, '  #pragma unroll',
      `  for (int j = 0; j < ${columns}; ++j) ${this.v.use('mma')}(${this.v.fragment(s.d).name} + (i * ${columns} + j) * 4, ${left.name} + (i * ${depth} + ${step}) * 4, ${right.name} + j * 2);`,
      '}',
    ];
  }

  private wgmma(s: Statement & { op: 'wgmma' }): string[] {
    const d = this.v.fragment(s.d);
    const n = d.layout.axes[1].size;
    const tiles = registerCount(d.layout) / (n / 2);
    this.v.use('describe_operand');
    const right = this.operand(s.right.buffer, s.right.slot, '0', s.right.column);
    return Array.from({ length: tiles }, (_, i) => {
      const group = linear('warp', along(d.layout.warps, 0).map((image) => (image >= 64 ? image : 0)));
      const row = [group, i === 0 ? '' : String(i * 64)].filter((t) => t !== '').join(' + ') || '0';
      const [form, left] = s.left.kind === 'shared' ? ['ss', this.operand(s.left.buffer, s.left.slot, row, s.left.column)] : ['rs', this.leftRegisters(s.left.fragment, i, s.left.step)];
      return `${this.v.use(`wgmma_${n}_${form}`)}(${d.name} + ${(i * n) / 2}, ${left}, ${right});`;
    });
  }

  private leftRegisters(id: number, tile: number, step: Scalar): string {
    const { name, layout } = this.v.fragment(id);
    const at = plus(toScalar((tile * layout.axes[1].size) / 16), step);
    return `${name} + ${this.v.scalar(at)} * 4`;
  }

  private operand(name: string, slot: Scalar, row: string, column: Scalar): string {
    const buffer = this.buffer(name);
    const byte = (constantOf(column) ?? NaN) * 2;
    if (buffer.swizzle === 0 || Number.isNaN(byte)) throw new Error(`CUDA emitter: buffer '${name}' cannot be described to wgmma`);
    const panel = Math.floor(byte / buffer.swizzle) * buffer.rows * buffer.swizzle + (byte % buffer.swizzle);
    return `describe_operand(${this.slotStart(buffer, slot)} + (${row}) * ${buffer.swizzle} + ${panel}, ${buffer.swizzle})`;
  }
}

function eachRegister(count: number, step: number, body: readonly string[]): string[] {
  if (body.length === 0) return [];
  return ['#pragma unroll', `for (int r = 0; r < ${count}; r += ${step}) {`, ...indent(body), '}'];
}

/** Fragments that the statements use, in order. */
function fragmentsOf(body: readonly Statement[]): Set<number> {
  const found = new Set<number>();
  const visit = (list: readonly Statement[]): void => {
    for (const s of list) {
      if (s.op === 'for' || s.op === 'if') visit(s.body);
      else if (s.op === 'compute' || s.op === 'reduce' || s.op === 'load_matrix' || s.op === 'dequantize') found.add(s.out);
      else if (s.op === 'mma' || s.op === 'wgmma') found.add(s.d);
    }
  };
  visit(body);
  return found;
}
