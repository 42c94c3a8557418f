/** One graph under construction; bodies of repeats and scans are scopes inside it, and capture what they use of it. */
import { GraphBuilder } from '../ir/build.js';
import type { DType } from '../ir/dtype.js';
import type { Value as GraphValue } from '../ir/graph.js';
import type { TypeContext } from '../ir/ops.js';
import type { WrittenStates } from './foreign-states.js';
import type { TensorValue } from './value.js';

/** An exported value of this graph and its path; one path per iteration where it is stacked. */
export interface ExportedValue { readonly paths: readonly string[]; readonly value: GraphValue }

export class GraphScope {
  readonly builder: GraphBuilder;
  /** Values of the enclosing graph that this one reads, and the inputs that stand for them here. */
  readonly captures: { readonly outer: GraphValue; readonly inner: GraphValue }[] = [];
  readonly exports: ExportedValue[] = [];
  /** States that iterations put in place here have written. */
  readonly written: WrittenStates = new Map();
  private readonly inner = new Map<GraphValue, GraphValue>();
  private readonly scalars = new Map<string, GraphValue>();

  constructor(name: string, tables: TypeContext, readonly parent?: GraphScope) {
    this.builder = new GraphBuilder(name, tables);
  }

  /** The tensor as a value of this graph; it must belong to it or to one around it. */
  use(tensor: TensorValue): GraphValue {
    if (tensor.graph === this) return tensor.value;
    const known = this.inner.get(tensor.value);
    if (known !== undefined) return known;
    if (this.parent === undefined) throw new Error('elaborate: a tensor of a body is used outside it');
    const outer = this.parent.use(tensor);
    const inner = this.builder.input(`captured${this.captures.length}`, outer.type);
    this.captures.push({ outer, inner });
    this.inner.set(tensor.value, inner);
    return inner;
  }

  /** Whether the tensor belongs to this graph or to one around it. */
  sees(tensor: TensorValue): boolean {
    return tensor.graph === this || (this.parent?.sees(tensor) ?? false);
  }

  scalar(value: number, dtype: DType): GraphValue {
    const key = `${value} ${dtype}`;
    let node = this.scalars.get(key);
    if (node === undefined) this.scalars.set(key, node = this.builder.scalar(value, dtype));
    return node;
  }
}
