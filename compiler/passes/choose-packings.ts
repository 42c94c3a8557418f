/**
 * How each parameter lies in memory: by rows interleaved for the contractions that stream it, row-major where it is only
 * looked up or multiplied elementwise.
 *
 *   contract %x, %w over d      w [width, d]   ->   panel[width, d; width by 8]
 *   gather %table, %ids         table [vocab, d]   ->   dense[vocab, d]
 *
 * Needs: all graphs of the module. Gives: one packing per parameter, the same for every entry point.
 */
import type { Graph, Module, Node, ParamDecl, ValueId } from '../ir/graph.js';
import type { Packing } from '../ir/packing.js';
import { indexGraph, typeOf, axisNames, type GraphIndex } from '../ir/graph-index.js';
import { FirnError } from '../../dsl/diagnostics.js';
import * as messages from '../../dsl/schedule-messages.js';
import type { Span } from '../../dsl/span.js';
import { alignmentFor, type Alignment } from '../model/block-alignment.js';
import { lanesOf } from '../kernels/lower/tiling.js';

interface Choice { readonly panel: number; readonly int4: 'int4' | 'int4-mma'; readonly alignment: Alignment }

export function choosePackings(module: Module, panel: number, int4: 'int4' | 'int4-mma' = 'int4', alignment = alignmentFor()): Map<number, Packing> {
  const choice: Choice = { panel, int4, alignment };
  const found = new Map<number, Packing>();
  visitGraph(module.graph, (index, node) => {
    if (node.op !== 'contract') return;
    for (const side of [0, 1] as const) {
      const param = parameterOf(index, node.operands[side]);
      if (!param) continue;
      const decl = module.params[param.node.param];
      const packing = packingFor(index, node, side, param.names, decl, choice);
      if (packing) found.set(param.node.param, packing);
    }
  });
  module.params.forEach((decl, i) => {
    if (found.has(i)) return;
    if (decl.storage.kind !== 'plain') throw new FirnError([messages.neverSummed(decl.paths[0], spanOf(decl))]);
    found.set(i, { kind: 'dense', order: decl.type.axes.map((a) => a.name) });
  });
  return found;
}

function visitGraph(graph: Graph, visit: (index: GraphIndex, node: Node) => void): void {
  const index = indexGraph(graph);
  for (const node of graph.nodes) {
    visit(index, node);
    if (node.op === 'repeat' || node.op === 'scan') visitGraph(node.body, visit);
  }
}

/** The param behind a value, and its own axis name for each axis name of the value. Only renames stand between. */
function parameterOf(index: GraphIndex, value: ValueId): { node: Node & { op: 'param' }; names: ReadonlyMap<string, string> } | undefined {
  const node = index.producer.get(value);
  if (node?.op === 'param') return { node, names: new Map(node.results[0].type.axes.map((a) => [a.name, a.name])) };
  if (node?.op === 'cast') return parameterOf(index, node.operands[0]);
  if (node?.op !== 'rename') return undefined;
  const inner = parameterOf(index, node.operands[0]);
  return inner && { node: inner.node, names: new Map([...inner.names].map(([outer, own]) => [outer === node.from ? node.to : outer, own])) };
}

function packingFor(index: GraphIndex, node: Node & { op: 'contract' }, side: 0 | 1, names: ReadonlyMap<string, string>, decl: ParamDecl, choice: Choice): Packing | undefined {
  const mine = axisNames(typeOf(index, node.operands[side]));
  const other = axisNames(typeOf(index, node.operands[1 - side]));
  const lanes = lanesOf(node, mine, other);
  if (!lanes) return undefined;
  const own = (outer: string): string => names.get(outer)!;
  const over = mine.filter((a) => node.over.includes(a)).map(own);
  const outer = mine.filter((a) => a !== lanes && !node.over.includes(a)).map(own);
  const inOrder = (list: readonly string[]): string[] => decl.type.axes.map((a) => a.name).filter((n) => list.includes(n));
  const order = [...inOrder(outer), own(lanes), ...inOrder(over)];
  const { storage } = decl;
  if (storage.kind === 'plain') return choice.panel === 0 ? { kind: 'dense', order } : { kind: 'panel', order, lanes: own(lanes), width: choice.panel };
  if (choice.int4 === 'int4-mma' && storage.kind !== 'int4') throw new FirnError([messages.formatNotOnTarget(decl.paths[0], storage.kind, spanOf(decl))]);
  if (storage.kind === 'fp8') return blocked(decl, storage.block, order, own(lanes), choice);
  if (storage.along !== order[order.length - 1]) {
    throw new FirnError([messages.groupedAlongOther(decl.paths[0], storage.along, order[order.length - 1], spanOf(decl))]);
  }
  const { group } = storage;
  if (storage.kind === 'mxfp4') return { kind: 'scaled', code: 'e2m1', order, lanes: own(lanes), width: 8, group };
  const inFragments = choice.int4 === 'int4-mma' && order.at(-2) === own(lanes) && [16, 32, 64].includes(group);
  return inFragments ? { kind: 'int4-mma', order, lanes: own(lanes), width: 16, group } : { kind: 'int4', order, lanes: own(lanes), width: 8, group };
}

/** Scales of blocks, which lie anywhere on the stored matrix, as scales of groups along the axis that is summed. */
function blocked(decl: ParamDecl, block: number, order: readonly string[], lanes: string, choice: Choice): Packing {
  const along = order[order.length - 1];
  const group = choice.alignment(decl, along, block);
  if (group === 0 || group % 4 !== 0) throw new FirnError([messages.blocksCut(decl.paths[0], along, block, spanOf(decl))]);
  return { kind: 'scaled', code: 'e4m3', order, lanes, width: 8, group };
}

function spanOf(decl: ParamDecl): Span {
  if (!decl.span) throw new Error(`choose packings: '${decl.paths[0]}' cannot be packed as asked, and has no place in a spec`);
  return decl.span;
}
