/** Dots whose operands are both contiguous along the summed axis: vectors run along it and are added up at the end. */
import { variableAt } from './coordinate.js';
import { guarded, inStretches, mostDirectRows, overAxes, rowBlocks, sizeOfAxis, smaller, use, type Extent } from './dot-blocks.js';
import { stretch, type DotForm, type DotStatement } from './dot-form.js';
import { makeOperand, type Operand } from './dot-operand.js';
import type { KernelContext, Slot } from './kernel-context.js';
import { innerKernel } from './microkernels.js';
import { elementOf } from './statements.js';

interface Inner {
  readonly b: Operand;
  readonly rows: Extent; readonly columns: Extent; readonly along: Extent;
  /** Distances in elements: of rows in a, of columns in b, of both in c. */
  readonly am: number; readonly bn: number; readonly cm: number; readonly cn: number;
}

export function emitInner(k: KernelContext, s: DotStatement, form: DotForm, out: Slot): void {
  const { rows, along, lanes: columns } = form;
  const a = makeOperand(k, form.scalar, [rows, along], along, { f32: true, padded: false, clipped: [rows, along], along });
  const b = makeOperand(k, form.vector, [columns, along], along, { f32: false, padded: false, clipped: [columns, along], along });
  if (b.kind === 'int4' || b.kind === 'scaled') throw new Error('cpu emitter: codes with scales are not summed along lanes');
  const stride = (axis: string | undefined): number => (axis === undefined ? 0 : out.strides.get(axis)!);
  const o: Inner = {
    b,
    rows: smaller(k, sizeOfAxis(k, s, rows), [rows && a.count(rows)]), columns: smaller(k, sizeOfAxis(k, s, columns), [columns && b.count(columns)]),
    along: smaller(k, sizeOfAxis(k, s, along), [a.count(along), b.count(along)]),
    am: rows === undefined ? 0 : a.stride(rows), bn: columns === undefined ? 0 : b.stride(columns), cm: stride(rows), cn: stride(columns),
  };
  guarded(k, [...a.live, ...b.live], () => overAxes(k, [...form.loops, ...form.otherOver], new Map(), (at) => {
    k.line(`float* c = &${elementOf(out, new Map(s.out.shape.map((x) => [x.name, at.get(x.name) ?? variableAt('0', { lo: 0, hi: 0 })] as const)))};`);
    inStretches(k, { a, b, rows: o.rows, along: o.along, axis: along, at, am: o.am, ak: 1, bk: 1 }, (now, am) => emitColumns(k, { ...o, along: now, am }));
  }));
}

function emitColumns(k: KernelContext, o: Inner): void {
  const { size } = o.rows;
  const [mostRows, mostColumns] = size === 1 ? [1, 8] : size === 2 ? [2, 4] : size === 3 ? [3, 3] : [4, 2];
  rowBlocks(k, o.columns, Math.min(mostColumns, o.columns.size), (columns, j) => {
    const q = j === '0' ? '0' : (k.line(`const int q = ${j};`), 'q');
    if (o.b.kind === 'f32' || size <= mostDirectRows) return emitBlock(k, o, columns, q, Math.min(mostRows, size), `b + ${q} * (int64_t)${o.bn}`);
    k.block('', () => {
      k.line(`alignas(64) float wide[${columns * stretch}];`);
      k.line(`for (int n = 0; n < ${columns}; ++n) {`);
      k.line('  #pragma omp simd');
      k.line(`  for (int k = 0; k < ${o.along.count ?? o.along.size}; ++k) wide[n * ${stretch} + k] = from_${o.b.kind}(b[(${q} + n) * (int64_t)${o.bn} + k]);`);
      k.line('}');
      emitBlock(k, { ...o, b: { ...o.b, kind: 'f32' }, bn: stretch }, columns, q, Math.min(mostRows, size), 'wide');
    });
  });
}

function emitBlock(k: KernelContext, o: Inner, columns: number, q: string, mostRows: number, b: string): void {
  rowBlocks(k, o.rows, mostRows, (rows, i) => {
    const name = use(k, innerKernel(o.b.kind === 'int4' || o.b.kind === 'scaled' ? 'f32' : o.b.kind, rows, columns, k.decisions.level));
    k.line(`${name}(a + ${i} * ${o.am}, ${o.am}, ${b}, ${o.bn}, ${o.along.count ?? o.along.size}, c + ${i} * ${o.cm} + ${q} * ${o.cn}, ${o.cm}, ${o.cn});`);
  });
}
