/**
 * Which axes are the same places under different names: every op that works on each place of an axis alone ties the
 * axis of its operands to that of its result. What else happens to an axis is noted on its set.
 *
 *   %3 = contract %w, %x over d    w [width, d]     ->  { w.width, %3.width }  made by a parameter
 *   %4 = map silu %3                                ->  { w.width, %3.width, %4.width }
 *   %5 = contract %v, %4 over width                 ->  { .., v.width }        summed with a parameter
 *   %6 = reduce add %5 over hidden                  ->  hidden is bound: somebody needs all its places
 */
import { groupedAxis } from '../../ir/storage.js';
import type { Graph, Module, Node, ValueId } from '../../ir/graph.js';
import { attendOperands } from '../../ir/ops-state.js';
import { indexGraph, typeOf, type GraphIndex } from '../../ir/graph-index.js';

/** An axis of a value of one graph, or of a parameter. */
export type Place = string;

export interface AxisSet {
  /** Some op needs all places together, or the axis leaves the graph. */
  bound: boolean;
  /** A contraction with a parameter gives it, sums it away, or picks along it by ids. */
  made: boolean;
  summed: boolean;
  selected: boolean;
  /** Axis per parameter. */
  readonly params: Map<number, string>;
  /** `graph value`, and `param index`: what has an axis of the set. */
  readonly holders: Set<string>;
}

type Mark = 'bound' | 'made' | 'summed' | 'selected';

export class AxisSets {
  private readonly parent = new Map<Place, Place>();
  private readonly found = new Map<Place, AxisSet>();
  private readonly graphs = new Map<Graph, number>();

  constructor(module: Module) {
    this.visit(module.graph);
  }

  /** Each set once, in the order in which the graph first names it. */
  all(): AxisSet[] {
    return [...this.found].filter(([place]) => this.root(place) === place).map(([, set]) => set);
  }

  /** The set that an axis of a value of `graph` is in. */
  of(graph: Graph, value: ValueId, axis: string): AxisSet | undefined {
    const place = `${this.graphs.get(graph)!} ${value}.${axis}`;
    return this.found.get(this.root(place));
  }

  private root(place: Place): Place {
    let at = place;
    for (;;) {
      const up = this.parent.get(at);
      if (up === undefined || up === at) return at;
      at = up;
    }
  }

  private add(holder: string, axis: string): Place {
    const place = `${holder}.${axis}`;
    if (!this.parent.has(place)) {
      this.parent.set(place, place);
      this.found.set(place, { bound: false, made: false, summed: false, selected: false, params: new Map(), holders: new Set([holder]) });
    }
    return this.root(place);
  }

  private tie(a: Place, b: Place): void {
    const [to, from] = [this.root(a), this.root(b)];
    if (to === from) return;
    this.parent.set(from, to);
    const [kept, gone] = [this.found.get(to)!, this.found.get(from)!];
    for (const mark of ['bound', 'made', 'summed', 'selected'] as const) kept[mark] ||= gone[mark];
    for (const [param, axis] of gone.params) {
      // Two axes of one parameter in one set cannot both be cut.
      if (kept.params.has(param) && kept.params.get(param) !== axis) kept.bound = true;
      kept.params.set(param, axis);
    }
    for (const holder of gone.holders) kept.holders.add(holder);
  }

  private visit(graph: Graph): void {
    this.graphs.set(graph, this.graphs.size);
    const level = new LevelAxes(graph, this.graphs.get(graph)!, {
      add: (holder, axis) => this.add(holder, axis), tie: (a, b) => this.tie(a, b),
      mark: (place, mark) => { this.found.get(this.root(place))![mark] = true; },
      param: (place, param, axis) => { this.found.get(this.root(place))!.params.set(param, axis); },
    });
    for (const { value } of graph.inputs) level.bind(value.id);
    for (const node of graph.nodes) {
      level.read(node);
      if (node.op === 'repeat') this.visit(node.body);
    }
    for (const { value } of graph.outputs) level.bind(value);
  }
}

interface Sets {
  readonly add: (holder: string, axis: string) => Place;
  readonly tie: (a: Place, b: Place) => void;
  readonly mark: (place: Place, mark: Mark) => void;
  readonly param: (place: Place, param: number, axis: string) => void;
}

/** What the ops of one graph say about their axes. */
class LevelAxes {
  private readonly index: GraphIndex;

  constructor(graph: Graph, private readonly number: number, private readonly sets: Sets) {
    this.index = indexGraph(graph);
  }

  private place(value: ValueId, axis: string): Place { return this.sets.add(`${this.number} ${value}`, axis); }

  private axes(value: ValueId): string[] { return typeOf(this.index, value).axes.map((a) => a.name); }

  bind(value: ValueId, only?: readonly string[]): void {
    for (const axis of this.axes(value)) if (!only || only.includes(axis)) this.sets.mark(this.place(value, axis), 'bound');
  }

  /** Axes of the operand, but for those `gone`, go on in the result under their name, or under the one that `renamed` gives. */
  private pass(operand: ValueId, result: ValueId, gone: readonly string[] = [], renamed: Readonly<Record<string, string>> = {}): void {
    const kept = new Set(this.axes(result));
    for (const axis of this.axes(operand)) {
      const name = renamed[axis] ?? axis;
      if (kept.has(name) && !gone.includes(axis)) this.sets.tie(this.place(operand, axis), this.place(result, name));
    }
  }

  /** Results follow operands but for the axes named, of which all places are needed or made. */
  private passBut(node: Node, named: readonly string[]): void {
    const [result] = node.results;
    for (const operand of node.operands) { this.bind(operand, named); this.pass(operand, result.id, named); }
    this.bind(result.id, named);
  }

  read(node: Node): void {
    const [result] = node.results;
    switch (node.op) {
      case 'param':
        for (const axis of this.axes(result.id)) {
          const own = this.sets.add(`param ${node.param}`, axis);
          this.sets.param(own, node.param, axis);
          this.sets.tie(own, this.place(result.id, axis));
        }
        break;
      case 'const': case 'iota': case 'rank': break;
      case 'map': case 'cast': case 'stop_gradient': case 'straight_through': this.passBut(node, []); break;
      case 'fake_quantize': this.passBut(node, groupedAxis(node.storage) === undefined ? [] : [groupedAxis(node.storage)!]); break;
      case 'rename': this.pass(node.operands[0], result.id, [], { [node.from]: node.to }); break;
      case 'split': this.passBut(node, [node.axis, ...node.into.map((a) => a.name)]); break;
      case 'merge': this.passBut(node, [...node.axes, node.into]); break;
      case 'slice': this.passBut(node, [node.axis, node.into]); break;
      case 'pick': case 'cumulate': this.passBut(node, [node.axis]); break;
      case 'concat': this.passBut(node, [...node.axes, node.into]); break;
      case 'stack': this.passBut(node, [node.into]); break;
      case 'broadcast': this.passBut(node, [node.axis.name]); break;
      case 'reduce': this.passBut(node, node.over); break;
      case 'nucleus': this.passBut(node, [node.axis]); break;
      case 'top': this.passBut(node, [node.axis, node.into]); break;
      case 'solve_lower': this.passBut(node, [node.rows, node.columns]); break;
      case 'gather': this.bind(node.operands[0], [node.axis]); this.pass(node.operands[1], result.id); this.pass(node.operands[0], result.id, [node.axis]); break;
      case 'contract': this.contract(node); break;
      case 'attend': this.attend(node); break;
      default: for (const value of [...node.operands, ...node.results.map((r) => r.id)]) this.bind(value);
    }
  }

  private contract(node: Node & { op: 'contract' }): void {
    const [result] = node.results;
    const [, chosen, ids] = node.operands;
    const over = new Map<string, Place>();
    for (const operand of node.operands) for (const axis of this.axes(operand)) {
      const place = this.place(operand, axis);
      const parameter = this.isParameter(operand);
      if (node.select && operand === chosen && axis === node.select.axis) { this.sets.mark(place, parameter ? 'selected' : 'bound'); continue; }
      if (node.over.includes(axis)) {
        if (operand === ids) this.sets.mark(place, 'bound');
        if (over.has(axis)) this.sets.tie(over.get(axis)!, place);
        over.set(axis, place);
      } else this.sets.tie(place, this.place(result.id, axis));
      if (parameter) this.sets.mark(place, node.over.includes(axis) ? 'summed' : 'made');
    }
    if (!node.operands.some((v) => this.isParameter(v))) for (const place of over.values()) this.sets.mark(place, 'bound');
  }

  /** Every place of the score axes and of the values' own is attended alone. */
  private attend(node: Node & { op: 'attend' }): void {
    const [q, position, sequence, blocks, ...others] = node.operands;
    const picked = new Set(attendOperands(node, node.operands).sources.flatMap((s) => s.picks ?? []));
    const rest = others.filter((v) => !picked.has(v));
    for (const value of [position, sequence, blocks, ...picked]) this.bind(value);
    for (const operand of [q, ...rest]) {
      this.bind(operand, [...node.over, ...node.keys]);
      for (const result of node.results) this.pass(operand, result.id, [...node.over, ...node.keys]);
    }
  }

  /** A parameter as it is, or renamed or rounded. */
  private isParameter(value: ValueId): boolean {
    const node = this.index.producer.get(value);
    if (node === undefined) return false;
    if (node.op === 'param') return true;
    return ['rename', 'cast', 'stop_gradient', 'straight_through', 'fake_quantize'].includes(node.op) && this.isParameter(node.operands[0]);
  }
}
