/** What a model costs, counted from its module: exact integers. */
import { evaluateDim } from '../ir/dim.js';
import { dtypeBytes } from '../ir/dtype.js';
import type { Graph, Module, Node, ParamDecl, Storage, TensorType, ValueId } from '../ir/graph.js';

export interface Stats {
  readonly parameters: number;
  /** Read for one token: of experts those chosen, of tables that are indexed the rows looked up. */
  readonly activeParameters: number;
  /** Stored bytes of all parameters, without padding. */
  readonly weightBytes: number;
  readonly activeBytes: number;
  /** Of `append` states, per token of context; of the other states, per sequence. */
  readonly cacheBytesPerToken: number;
  readonly stateBytesPerSequence: number;
  /** One row per declaration, in the order of the spec. */
  readonly groups: readonly Group[];
}
export interface Group {
  /** With `[*]` for indices that the declaration runs over. */
  readonly path: string;
  readonly count: number;
  readonly shape: readonly { readonly name: string; readonly size: number }[];
  readonly storage: Storage;
  readonly parameters: number;
  readonly activeParameters: number;
  readonly bytes: number;
}

export function moduleStats(module: Module): Stats {
  const fractions = activeFractions(module);
  const groups = module.params.map((param, i) => groupOf(param, fractions.get(i) ?? 1));
  const total = (of: (g: Group) => number): number => groups.reduce((n, g) => n + of(g), 0);
  const states = module.states.map((s) => ({ append: s.policy === 'append', bytes: (s.paths.length * entryElements(s.type) * dtypeBytes(s.type.dtype)) / (s.every ?? 1) }));
  return {
    parameters: total((g) => g.parameters), activeParameters: total((g) => g.activeParameters), weightBytes: total((g) => g.bytes),
    activeBytes: total((g) => Math.ceil((g.bytes * g.activeParameters) / g.parameters)),
    cacheBytesPerToken: states.reduce((n, s) => n + (s.append ? s.bytes : 0), 0),
    stateBytesPerSequence: states.reduce((n, s) => n + (s.append ? 0 : s.bytes), 0),
    groups,
  };
}

function groupOf(param: ParamDecl, fraction: number): Group {
  const shape = param.type.axes.map((a) => ({ name: a.name, size: evaluateDim(a.size, {}) }));
  const elements = shape.reduce((n, a) => n * a.size, 1);
  const parameters = elements * param.paths.length;
  return {
    path: param.paths.length === 1 ? param.paths[0] : param.paths[0].replace(/\[\d+\]/g, '[*]'), count: param.paths.length,
    shape, storage: param.storage, parameters, activeParameters: Math.round(parameters * fraction), bytes: param.paths.length * storedBytes(param.storage, shape),
  };
}

function storedBytes(storage: Storage, shape: readonly { name: string; size: number }[]): number {
  const elements = shape.reduce((n, a) => n * a.size, 1);
  if (storage.kind === 'plain') return elements * dtypeBytes(storage.dtype);
  if (storage.kind === 'fp8') {
    // Blocks of the matrix made of the last axis and the one before it.
    const [rows, columns] = shape.slice(-2).map((a) => Math.ceil(a.size / storage.block));
    return elements + shape.slice(0, -2).reduce((n, a) => n * a.size, 4 * rows * columns);
  }
  const along = shape.find((a) => a.name === storage.along)?.size ?? 1;
  return elements / 2 + (elements / along) * Math.ceil(along / storage.group) * (storage.kind === 'int4' ? 2 : 1);
}

/** Elements of one entry: the axes of fixed size. */
function entryElements(type: TensorType): number {
  return type.axes.reduce((n, a) => (typeof a.size === 'number' ? n * a.size : n), 1);
}

/** By parameter: the share of it that one token reads, where that is less than all. */
function activeFractions(module: Module): Map<number, number> {
  const shares = new Map<number, number>();
  const visit = (graph: Graph): void => {
    const types = new Map<ValueId, TensorType>();
    for (const input of graph.inputs) types.set(input.value.id, input.value.type);
    for (const node of graph.nodes) for (const result of node.results) types.set(result.id, result.type);
    const params = new Map<ValueId, number>();
    for (const node of graph.nodes) {
      if (node.op === 'param') params.set(node.results[0].id, node.param);
      else if ((node.op === 'cast' || node.op === 'rename') && params.has(node.operands[0])) params.set(node.results[0].id, params.get(node.operands[0])!);
      else node.operands.forEach((id, position) => {
        const param = params.get(id);
        if (param !== undefined) shares.set(param, Math.max(shares.get(param) ?? 0, shareOf(node, position, types)));
      });
      bodiesOf(node).forEach(visit);
    }
  };
  visit(module.graph);
  return shares;
}

function shareOf(node: Node, position: number, types: ReadonlyMap<ValueId, TensorType>): number {
  const selects = node.op === 'contract' && node.select !== undefined && position === 1 ? { axis: node.select.axis, ids: node.operands[2] }
    : node.op === 'gather' && position === 0 ? { axis: node.axis, ids: node.operands[1] } : undefined;
  if (selects === undefined) return 1;
  const size = types.get(node.operands[position])?.axes.find((a) => a.name === selects.axis)?.size;
  return typeof size === 'number' ? Math.min(1, entryElements(types.get(selects.ids)!) / size) : 1;
}

function bodiesOf(node: Node): Graph[] {
  if (node.op === 'repeat') return [node.body];
  if (node.op === 'scan') return node.chunk === undefined ? [node.body] : [node.body, node.chunk.body];
  return [];
}
