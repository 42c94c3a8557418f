/** Attention over a paged cache: online softmax over key tiles that are gathered through the block table. */
import { arg, call, num } from '../../../compiler/ir/expr.js';
import { dim } from '../../../compiler/ir/kernel.js';
import { lowest, ProgramBuilder, range } from '../../../compiler/kernels/build.js';
import { ceilDivide, element, lessThan, minimum, minus, plus, times } from '../../../compiler/kernels/scalar.js';
import { bf16Bytes, blank, f32Bytes, i32Bytes, Random, type Sample } from './sample.js';

export interface AttentionSizes {
  /** New tokens of each sequence, and entries already cached before them. */
  readonly lengths: readonly number[]; readonly past: readonly number[];
  readonly kvHeads: number; readonly group: number; readonly size: number; readonly valueSize: number; readonly block: number;
  readonly queryTile?: number; readonly keyTile?: number; readonly seed?: number;
}

const scale = 0.3;

function attentionProgram({ kvHeads, group, size, valueSize, block, queryTile = 4, keyTile = 8 }: AttentionSizes) {
  const p = new ProgramBuilder('attention');
  const q = p.view('q', 'f32', 'read', { tokens: dim('tokens'), kv_heads: kvHeads, group, d: size });
  const k = p.view('k', 'bf16', 'read', { slots: dim('slots'), kv_heads: kvHeads, d: size });
  const v = p.view('v', 'f32', 'read', { slots: dim('slots'), kv_heads: kvHeads, value: valueSize });
  const position = p.view('position', 'i32', 'read', { tokens: dim('tokens') });
  const blocks = p.view('blocks', 'i32', 'read', { sequences: dim('sequences'), blocks: dim('blocks') });
  const starts = p.view('starts', 'i32', 'read', { bounds: plus(dim('sequences'), 1) });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), kv_heads: kvHeads, group, value: valueSize });

  const sequence = p.gridAxis('sequence', dim('sequences'));
  const tile = p.gridAxis('query', ceilDivide(dim('tokens'), queryTile));
  const head = p.gridAxis('head', kvHeads);
  const first = p.let_('first', plus(element(starts, sequence), times(tile, queryTile)));
  const end = p.let_('end', element(starts, plus(sequence, 1)));
  p.if_(lessThan(first, end), () => {
    const queries = range('tokens', first, queryTile, end);
    const heads = range('group', 0, group);
    const rows = [{ name: 'tokens', size: queryTile }, { name: 'group', size: group }];
    const qt = p.load(q, [queries, head, heads, range('d', 0, size)]);
    const at = p.load(position, [queries], { fill: -1 });
    const keys = plus(element(position, minus(minimum(end, plus(first, queryTile)), 1)), 1);
    const start = [p.full(lowest, rows), p.full(0, rows), p.full(0, [...rows, { name: 'value', size: valueSize }])];
    const [, l, o] = p.loop('key', 0, keys, keyTile, start, (key, [m, l, o]) => {
      const j = p.iota('keys', keyTile, key);
      const page = p.load(blocks, [sequence, p.apply('floor_divide', j, block)], { fill: -1 });
      const slot = p.map(call('add', call('multiply', arg(0), num(block, 'i32')), call('mod', arg(1), num(block, 'i32'))), [page, j]);
      const kt = p.load(k, [slot, head, range('d', 0, size)]);
      const visible = p.map(call('less_equal', arg(0), arg(1)), [j, at]);
      const s = p.map(call('select', arg(1), call('multiply', arg(0), num(scale)), num(lowest)), [p.dot(qt, kt, { over: ['d'] }), visible]);
      const top = p.apply('maximum', m, p.reduce('maximum', s, 'keys'));
      const e = p.map(call('select', arg(2), call('exp', call('subtract', arg(0), arg(1))), num(0)), [s, top, visible]);
      const decay = p.map(call('exp', call('subtract', arg(0), arg(1))), [m, top]);
      const vt = p.load(v, [slot, head, range('value', 0, valueSize)]);
      return [top, p.add(p.multiply(l, decay), p.reduce('add', e, 'keys')), p.dot(e, vt, { over: ['keys'], acc: p.multiply(o, decay) })];
    });
    const out = p.map(call('select', call('equal', arg(1), num(0)), num(0), call('divide', arg(0), arg(1))), [o, l]);
    p.store(y, [queries, head, heads, range('value', 0, valueSize)], out);
  });
  return p.finish();
}

/** The block table with shuffled pages, and cache entries to match. */
function pagedTables(sizes: AttentionSizes, random: Random) {
  const { lengths, past, block } = sizes;
  const needed = lengths.map((n, s) => Math.ceil((n + past[s]) / block));
  const pages = needed.reduce((a, b) => a + b, 0) + 2;
  const free = Array.from(random.permutation(pages));
  const blocks = Math.max(0, ...needed);
  const table = new Int32Array(lengths.length * blocks).fill(-1);
  needed.forEach((n, s) => { for (let b = 0; b < n; b++) table[s * blocks + b] = free.pop()!; });
  const starts = Int32Array.from({ length: lengths.length + 1 }, (_, s) => lengths.slice(0, s).reduce((a, b) => a + b, 0));
  const position = Int32Array.from(lengths.flatMap((n, s) => Array.from({ length: n }, (_, i) => past[s] + i)));
  return { table, starts, position, slots: pages * block, blocks };
}

/** Grouped-query causal attention of several sequences; a tile holds queries of one sequence. */
export function attention(sizes: AttentionSizes): Sample {
  const { lengths, kvHeads, group, size, valueSize, block, seed = 31 } = sizes;
  const random = new Random(seed);
  const { table, starts, position, slots, blocks } = pagedTables(sizes, random);
  const tokens = position.length;
  const vq = random.values(tokens * kvHeads * group * size).map((v) => v * 3);
  const vk = random.values(slots * kvHeads * size, 'bf16');
  const vv = random.values(slots * kvHeads * valueSize);
  const expected = new Float32Array(tokens * kvHeads * group * valueSize);
  lengths.forEach((_, s) => {
    for (let t = starts[s]; t < starts[s + 1]; t++) for (let h = 0; h < kvHeads * group; h++) {
      const kv = Math.floor(h / group);
      const slotOf = (j: number): number => table[s * blocks + Math.floor(j / block)] * block + (j % block);
      const scores = Array.from({ length: position[t] + 1 }, (_, j) => {
        let sum = 0;
        for (let i = 0; i < size; i++) sum += vq[(t * kvHeads * group + h) * size + i] * vk[(slotOf(j) * kvHeads + kv) * size + i];
        return sum * scale;
      });
      const largest = Math.max(...scores);
      const total = scores.reduce((n, x) => n + Math.exp(x - largest), 0);
      for (let i = 0; i < valueSize; i++) {
        expected[(t * kvHeads * group + h) * valueSize + i] = scores.reduce((n, x, j) => n + (Math.exp(x - largest) / total) * vv[(slotOf(j) * kvHeads + kv) * valueSize + i], 0);
      }
    }
  });
  return {
    name: `attention ${lengths.join('+')} after ${sizes.past.join('+')}`, program: attentionProgram(sizes), tolerance: 1e-5, expected: { y: expected },
    dims: { tokens, slots, sequences: lengths.length, blocks },
    buffers: {
      q: f32Bytes(vq), k: bf16Bytes(vk), v: f32Bytes(vv), position: i32Bytes(position), blocks: i32Bytes(table), starts: i32Bytes(starts),
      y: blank(expected.length, 'f32'),
    },
  };
}
