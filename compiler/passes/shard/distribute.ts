/**
 * Rewrites a graph whose parameters are parts: types follow them, ids are counted from the rank's first place, and sums
 * over a divided axis are added over the ranks just before somebody needs the whole sum.
 */
import { GraphBuilder } from '../../ir/build.js';
import { hasAxis } from '../../ir/axes.js';
import type { Axis, Graph, Module, Node, TensorType, Value, ValueId } from '../../ir/graph.js';
import type { Mesh } from '../../ir/mesh.js';
import type { TypeContext } from '../../ir/ops.js';
import { passShares, type Need, type Passing, type Rows, type Share } from './shares.js';

export interface Division {
  readonly mesh: Mesh;
  /** Mesh axes with more than one part. */
  readonly groups: readonly string[];
  /** The mesh axis that an axis of a value is cut along. */
  readonly groupOf: (graph: Graph, value: ValueId, axis: string) => string | undefined;
}

/** A value of the new graph, and what this rank holds of it per mesh axis where that is not the value. */
interface Held { readonly value: Value; readonly shares: ReadonlyMap<string, Share> }

/** `module` has the parts as its parameters; `graph` is still that of whole ones. */
export function distribute(module: Module, graph: Graph, division: Division): Module {
  const context: TypeContext = { params: module.params, states: module.states, groups: division.mesh };
  return { ...module, graph: new Distribution(graph, context, division, graph.inputs.map((i) => i.value.type)).run() };
}

class Distribution {
  private readonly b: GraphBuilder;
  private readonly held = new Map<ValueId, Held>();
  private readonly types = new Map<ValueId, TensorType>();
  /** Sums, masks and ids that were made already, by what they are of. */
  private readonly made = new Map<string, Value>();

  constructor(private readonly graph: Graph, private readonly context: TypeContext, private readonly division: Division, inputs: readonly TensorType[]) {
    this.b = new GraphBuilder(graph.name, context);
    graph.inputs.forEach(({ name, value }, i) => this.hold(value, { value: this.b.input(name, inputs[i]), shares: new Map() }));
  }

  run(): Graph {
    for (const node of this.graph.nodes) {
      this.b.span = node.span;
      this.b.label = node.op === 'repeat' ? undefined : node.label;
      this.rewrite(node);
    }
    return this.b.finish(this.graph.outputs.map((o) => ({ name: o.name, value: this.whole(this.held.get(o.value)!) })));
  }

  private hold(original: Value, held: Held): void {
    this.held.set(original.id, held);
    this.types.set(original.id, original.type);
  }

  private rewrite(node: Node): void {
    const operands = node.operands.map((id) => this.held.get(id)!);
    const passings = this.division.groups.map((group) => ({ group, passing: this.passing(node, operands, group) }));
    const values = operands.map((held, i) => passings.reduce((h, { group, passing }) => this.meet(h, group, passing.needs[i]), held).value);
    const shares = new Map(passings.flatMap(({ group, passing: { result } }) => (result ? [[group, result] as const] : [])));
    this.emit(node, values).forEach((value, i) => this.hold(node.results[i], { value, shares: i === 0 ? shares : new Map() }));
  }

  /** What the node needs of its operands, and gives, as far as the ranks of one mesh axis are concerned. */
  private passing(node: Node, operands: readonly Held[], group: string): Passing {
    const shares = operands.map((o) => o.shares.get(group));
    const cut = (value: ValueId, axis: string): boolean => this.division.groupOf(this.graph, value, axis) === group;
    const involved = [...node.operands.map((id) => ({ id, type: this.types.get(id)! })), ...node.results].some(({ id, type }) => type.axes.some((a) => cut(id, a.name)));
    if (involved && node.op === 'contract' && node.select && cut(node.operands[1], node.select.axis)) return this.picking(node, operands, group);
    if (involved) {
      const sums = node.op === 'contract' && node.over.some((axis) => node.operands.some((id) => hasAxis(this.types.get(id)!.axes, axis) && cut(id, axis)));
      return { needs: shares.map((): Need => 'whole'), ...(sums ? { result: { kind: 'partial' } } : {}) };
    }
    if (shares.every((s) => s === undefined)) return { needs: shares.map((): Need => 'keep') };
    return passShares(node, shares, operands.map((o) => o.value.type), this.resultType(node));
  }

  /** Ranks have different places of the picked axis: ids that are not theirs give 0. */
  private picking(node: Node & { op: 'contract' }, operands: readonly Held[], group: string): Passing {
    const rows = this.rowsOf(operands[2].value, operands[1].value.type.axes.find((a) => a.name === node.select!.axis)!, group);
    const same = operands[0].shares.get(group)?.rows?.ids === rows.ids;
    const sums = rows.ids.type.axes.some((a) => node.over.includes(a.name));
    return { needs: [same ? 'keep' : 'whole', 'whole', 'whole'], result: sums ? { kind: 'partial' } : { kind: 'partial', rows } };
  }

  /** Result type in the new graph, as far as sizes matter: no axis of it is cut along the mesh axis in question. */
  private resultType(node: Node): TensorType | undefined {
    return node.results.length === 1 ? node.results[0].type : undefined;
  }

  private emit(node: Node, operands: readonly Value[]): readonly Value[] {
    if (node.op === 'repeat') {
      const body = new Distribution(node.body, this.context, this.division, operands.map((o) => o.type)).run();
      return this.b.emit({ ...node, body }, operands);
    }
    if (node.op === 'contract' && node.select) {
      const group = this.division.groupOf(this.graph, node.operands[1], node.select.axis);
      const axis = operands[1].type.axes.find((a) => a.name === node.select!.axis)!;
      return this.b.emit(node, group ? [operands[0], operands[1], this.rowsOf(operands[2], axis, group).ids] : operands);
    }
    const results = this.b.emit(node, operands, node.results[0]?.type);
    return node.op === 'const' || node.op === 'iota' ? [this.ownPart(node, results[0])] : results;
  }

  /** Of a constant that has divided axes: the rank's places. */
  private ownPart(node: Node, whole: Value): Value {
    return node.results[0].type.axes.reduce((value, axis) => {
      const group = this.division.groupOf(this.graph, node.results[0].id, axis.name);
      if (group === undefined) return value;
      const own: Axis = { name: axis.name, size: (axis.size as number) / this.division.mesh[group] };
      return this.b.gather(value, this.b.map('add', this.b.iota(own), this.firstPlace(group, own)), axis.name);
    }, whole);
  }

  private firstPlace(group: string, axis: Axis): Value {
    return this.b.map('multiply', this.b.rank(group), this.b.scalar(axis.size as number, 'i32'));
  }

  private rowsOf(ids: Value, axis: Axis, group: string): Rows {
    const extent = axis.size as number;
    return { ids: this.once(`ids ${ids.id} ${group} ${extent}`, () => this.b.map('subtract', ids, this.firstPlace(group, axis))), extent };
  }

  private once(key: string, make: () => Value): Value {
    const value = this.made.get(key) ?? make();
    this.made.set(key, value);
    return value;
  }

  private meet(held: Held, group: string, need: Need): Held {
    const share = held.shares.get(group);
    if (!share || need === 'keep') return held;
    const others = [...held.shares].filter(([g]) => g !== group);
    const value = share.kind === 'chosen' ? this.once(`own ${held.value.id} ${share.rows.ids.id}`, () => this.ownRows(held.value, share.rows)) : held.value;
    if (need === 'partial') return { value, shares: new Map([...others, [group, { kind: 'partial' }]]) };
    return { value: this.once(`sum ${value.id} ${group}`, () => this.b.allReduce(value, group)), shares: new Map(others) };
  }

  /** 0 where the choice is another rank's. */
  private ownRows(value: Value, { ids, extent }: Rows): Value {
    const own = this.b.map('and', this.b.map('less_equal', this.b.scalar(0, 'i32'), ids), this.b.map('less', ids, this.b.scalar(extent, 'i32')));
    return this.b.map('select', own, value, this.b.scalar(0, value.type.dtype));
  }

  private whole(held: Held): Value {
    return this.division.groups.reduce((h, group) => this.meet(h, group, 'whole'), held).value;
  }
}
