/**
 * Extents: polynomials with integer coefficients over dynamic symbols (`tokens`, `sequences`, ...). Everything that a
 * spec fixes is a plain number by the time a Graph exists; what stays symbolic is known when an entry point runs.
 */
export interface Term {
  readonly coefficient: number;
  /** Sorted, with repetition for powers. */
  readonly symbols: readonly string[];
}
export type Dim = number | { readonly terms: readonly Term[] };

function terms(d: Dim): readonly Term[] {
  return typeof d === 'number' ? (d === 0 ? [] : [{ coefficient: d, symbols: [] }]) : d.terms;
}

function normal(list: readonly Term[]): Dim {
  const byKey = new Map<string, Term>();
  for (const t of list) {
    const key = t.symbols.join('*');
    const old = byKey.get(key);
    byKey.set(key, { coefficient: t.coefficient + (old?.coefficient ?? 0), symbols: t.symbols });
  }
  const kept = [...byKey.entries()].filter(([, t]) => t.coefficient !== 0).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, t]) => t);
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0].symbols.length === 0) return kept[0].coefficient;
  return { terms: kept };
}

export function symbol(name: string): Dim {
  return { terms: [{ coefficient: 1, symbols: [name] }] };
}

export function addDims(a: Dim, b: Dim): Dim {
  return normal([...terms(a), ...terms(b)]);
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  const out: Term[] = [];
  for (const x of terms(a)) for (const y of terms(b)) {
    out.push({ coefficient: x.coefficient * y.coefficient, symbols: [...x.symbols, ...y.symbols].sort() });
  }
  return normal(out);
}

export function equalDims(a: Dim, b: Dim): boolean {
  return printDim(a) === printDim(b);
}

/** The value under `values`; throws if a symbol has none. */
export function evaluateDim(d: Dim, values: Readonly<Record<string, number>>): number {
  if (typeof d === 'number') return d;
  let sum = 0;
  for (const t of d.terms) {
    let product = t.coefficient;
    for (const s of t.symbols) {
      if (!(s in values)) throw new Error(`no value for the dynamic dim '${s}'`);
      product *= values[s];
    }
    sum += product;
  }
  return sum;
}

export function printDim(d: Dim): string {
  if (typeof d === 'number') return String(d);
  return d.terms
    .map((t) => (t.symbols.length === 0 ? String(t.coefficient) : (t.coefficient === 1 ? '' : `${t.coefficient}*`) + t.symbols.join('*')))
    .join(' + ');
}
