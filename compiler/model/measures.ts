/** What variants are compared by: one table of measures, for tables, budgets, fronts and plots alike. */
export interface Measures {
  /** All parameters, and those read for one token. */
  readonly parameters: number;
  readonly active: number;
  /** Stored bytes of all parameters. */
  readonly weights: number;
  /** Operations of one decode step per sequence, at the stated context. */
  readonly flops: number;
  /** Bytes of cache per token of context; of all caches and states at the stated context and batch. */
  readonly kv_token: number;
  readonly kv: number;
  /** Kernels of one decode step. */
  readonly launches: number;
  /** Seconds: one decode step of the whole batch; the prefill of one sequence that fills the context. */
  readonly decode: number;
  readonly prefill: number;
  /** Devices whose memory holds weights and caches. */
  readonly devices: number;
}
export type Measure = keyof Measures;

export interface MeasureInfo {
  readonly title: string;
  readonly unit: 'count' | 'bytes' | 'flop' | 'seconds';
  /** Of two values, which one is better if nothing else differs. */
  readonly better: 'more' | 'less';
}

export const measures: Readonly<Record<Measure, MeasureInfo>> = {
  parameters: { title: 'parameters', unit: 'count', better: 'more' },
  active: { title: 'active parameters', unit: 'count', better: 'more' },
  weights: { title: 'weight bytes', unit: 'bytes', better: 'less' },
  flops: { title: 'FLOPs per token', unit: 'flop', better: 'less' },
  kv_token: { title: 'KV bytes per token', unit: 'bytes', better: 'less' },
  kv: { title: 'KV bytes', unit: 'bytes', better: 'less' },
  launches: { title: 'launches per decode step', unit: 'count', better: 'less' },
  decode: { title: 'decode step', unit: 'seconds', better: 'less' },
  prefill: { title: 'prefill', unit: 'seconds', better: 'less' },
  devices: { title: 'devices', unit: 'count', better: 'less' },
};
export const measureNames = Object.keys(measures) as readonly Measure[];

/** `decode<=20ms`. */
export interface Budget { readonly measure: Measure; readonly relation: '<=' | '>='; readonly limit: number }

const scales: Readonly<Record<MeasureInfo['unit'], Readonly<Record<string, number>>>> = {
  count: { '': 1, K: 1e3, M: 1e6, B: 1e9, T: 1e12 },
  bytes: { '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 },
  flop: { '': 1, MFLOP: 1e6, GFLOP: 1e9, TFLOP: 1e12, M: 1e6, G: 1e9, T: 1e12 },
  seconds: { '': 1, s: 1, ms: 1e-3, us: 1e-6 },
};

/** Reads `weights<=600GB`, `active>=30B`, `decode<=20ms`; says what is wrong with anything else. */
export function parseBudget(text: string): Budget | string {
  const [, name, relation, number, unit] = /^\s*([a-z_]+)\s*(<=|>=)\s*([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*([A-Za-z]*)\s*$/.exec(text) ?? [];
  if (name === undefined) return `'${text}' is no budget; write one as weights<=600GB, active>=30B or decode<=20ms`;
  const info = measures[name as Measure];
  if (info === undefined) return `'${name}' is not measured; what is: ${measureNames.join(', ')}`;
  const scale = scales[info.unit][unit];
  if (scale === undefined) return `'${unit}' is no unit of ${name}; units: ${Object.keys(scales[info.unit]).filter((u) => u !== '').join(', ')}`;
  return { measure: name as Measure, relation: relation as Budget['relation'], limit: Number(number) * scale };
}

export function meets(budget: Budget, m: Measures): boolean {
  return budget.relation === '<=' ? m[budget.measure] <= budget.limit : m[budget.measure] >= budget.limit;
}

/**
 * Which are on the Pareto front: no other is at least as good in every objective and better in one. Equal ones are on
 * it together.
 */
export function paretoFront(all: readonly Measures[], objectives: readonly Measure[]): boolean[] {
  const cost = (m: Measures, o: Measure): number => (measures[o].better === 'less' ? m[o] : -m[o]);
  const dominates = (a: Measures, b: Measures): boolean => objectives.every((o) => cost(a, o) <= cost(b, o)) && objectives.some((o) => cost(a, o) < cost(b, o));
  return all.map((m) => !all.some((other) => dominates(other, m)));
}
