/** One entry of a plan, launch by launch, with its costs at given dims: what `explain` shows. */
import { dtypeBytes } from '../ir/dtype.js';
import type { Program, View } from '../ir/kernel.js';
import type { Bundle, Plan, Step } from '../ir/plan.js';
import { evaluateScalar } from '../kernels/scalar.js';

export interface Row {
  /** Of the repeats around it. */
  readonly depth: number;
  /** A repeat's row precedes its body's; its costs are those of all iterations. */
  readonly kind: Step['kind'];
  readonly name: string;
  /** Times it runs within the iteration around it. */
  readonly times: number;
  /** What was fused, in order, with `file:line`. */
  readonly origin: readonly { readonly what: string; readonly where: string }[];
  readonly cost: LaunchCost;
}
/** For one time. */
export interface LaunchCost {
  readonly launches: number;
  /** Programs of the grid. */
  readonly programs: number;
  readonly flops: number;
  /** Of contractions only. */
  readonly contraction: number;
  /** All memory traffic, weights and cache included. */
  readonly bytes: number;
  /** Values between launches, written and read. */
  readonly intermediates: number;
}
export type DimValues = Readonly<Record<string, number>>;

/** Rows of `entry` in execution order. `dims` states every dim the entry's costs depend on. */
export function explainEntry(bundle: Bundle, entryName: string, dims: DimValues): { rows: Row[]; total: LaunchCost } {
  const entry = bundle.plan.entries.find((e) => e.name === entryName);
  if (entry === undefined) throw new Error(`explain: the plan has no entry '${entryName}'`);
  const programs = new Map(bundle.programs.map((p) => [p.name, p]));
  const rows = entry.steps.flatMap((step) => rowsOf(step, { plan: bundle.plan, programs, dims }, 0));
  return { rows, total: sum(rows.filter((r) => r.depth === 0)) };
}

interface Context { readonly plan: Plan; readonly programs: ReadonlyMap<string, Program>; readonly dims: DimValues }

const nothing: LaunchCost = { launches: 0, programs: 0, flops: 0, contraction: 0, bytes: 0, intermediates: 0 };

function rowsOf(step: Step, context: Context, depth: number): Row[] {
  switch (step.kind) {
    case 'launch': return [launchRow(step, context, depth)];
    case 'repeat': {
      const body = step.body.flatMap((s) => rowsOf(s, context, depth + 1));
      return [{ depth, kind: 'repeat', name: step.variable, times: step.count, origin: [], cost: sum(body.filter((r) => r.depth === depth + 1)) }, ...body];
    }
    case 'copy': {
      const bytes = evaluateScalar(step.bytes, { dims: context.dims });
      return [{ depth, kind: 'copy', name: step.from.tensor, times: 1, origin: [], cost: { ...nothing, bytes: 2 * bytes, intermediates: 2 * bytes } }];
    }
    case 'collective': {
      const bytes = evaluateScalar(step.count, { dims: context.dims }) * dtypeBytes(step.dtype);
      return [{ depth, kind: 'collective', name: `${step.op} over ${step.group}`, times: 1, origin: [], cost: { ...nothing, bytes } }];
    }
  }
}

function launchRow(step: Extract<Step, { kind: 'launch' }>, { plan, programs, dims }: Context, depth: number): Row {
  const kernel = plan.kernels.find((k) => k.name === step.kernel)!;
  const program = programs.get(step.kernel);
  const between = new Set(plan.buffers.filter((b) => b.kind === 'scratch' || b.kind === 'output').map((b) => b.id));
  const views = program?.views ?? [];
  const intermediates = step.args.reduce((n, arg, i) => n + (between.has(arg.buffer) && views[i] ? viewTraffic(views[i], dims) : 0), 0);
  const at = (scalar: (typeof step.grid)[number]): number => evaluateScalar(scalar, { dims });
  return {
    depth, kind: 'launch', name: step.kernel, times: 1, origin: kernel.origin,
    cost: { launches: 1, programs: step.grid.reduce((n, g) => n * at(g), 1), flops: at(step.cost.flops), contraction: at(step.cost.contraction), bytes: at(step.cost.bytes), intermediates },
  };
}

/** The view once, or twice if it is read and written. */
function viewTraffic(view: View, dims: DimValues): number {
  const bytes = view.axes.reduce((n, a) => n * evaluateScalar(a.extent, { dims }), dtypeBytes(view.dtype));
  return view.access === 'readwrite' ? 2 * bytes : bytes;
}

function sum(rows: readonly Row[]): LaunchCost {
  const total = { ...nothing } as Record<keyof LaunchCost, number>;
  for (const row of rows) for (const key of Object.keys(total) as (keyof LaunchCost)[]) total[key] += row.times * row.cost[key];
  return total;
}
