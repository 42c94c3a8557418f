/** Which layers of a repeat are of one kind: those with the same parameters, states and stored dtypes. */
import type { Module } from '../ir/graph.js';
import { printStorage } from '../ir/print-graph.js';

/** By repeat, the kind of each iteration: a text that does not depend on sizes. */
function kindsByRepeat(module: Module): Map<string, Map<number, Set<string>>> {
  const out = new Map<string, Map<number, Set<string>>>();
  const add = (path: string, what: string): void => {
    const [, label, index, rest] = /^(.*?)\[(\d+)\](.*)$/.exec(path) ?? [];
    if (label === undefined) return;
    const iterations = out.get(label) ?? out.set(label, new Map()).get(label)!;
    const kind = iterations.get(Number(index)) ?? iterations.set(Number(index), new Set()).get(Number(index))!;
    kind.add(`${rest} ${what}`);
  };
  for (const p of module.params) for (const path of p.paths) add(path, `${p.type.axes.map((a) => a.name).join(' ')} ${printStorage(p.storage)}`);
  for (const s of module.states) for (const path of s.paths) add(path, `${s.policy} ${s.type.dtype}`);
  return out;
}

function kindText(kind: ReadonlySet<string>): string {
  return [...kind].sort().join('\n');
}

/** Every kind that occurs, with its repeat. */
export function layerKinds(module: Module): ReadonlySet<string> {
  return new Set([...kindsByRepeat(module)].flatMap(([label, iterations]) => [...iterations.values()].map((k) => `${label}\n${kindText(k)}`)));
}

/** Iterations of the shortest prefix that has every kind, twice where there are two. */
export function depthNeeded(module: Module): number {
  let depth = 1;
  for (const iterations of kindsByRepeat(module).values()) {
    const seen = new Map<string, number>();
    for (const [index, kind] of [...iterations].sort(([a], [b]) => a - b)) {
      const text = kindText(kind);
      const times = (seen.get(text) ?? 0) + 1;
      seen.set(text, times);
      if (times <= 2) depth = Math.max(depth, index + 1);
    }
  }
  return depth;
}

/** Runs of iterations of one kind: `[1, 60]` with which kind each is, numbered as they appear. */
export function layerRuns(module: Module): ReadonlyMap<string, readonly { readonly kind: number; readonly count: number }[]> {
  return new Map([...kindsByRepeat(module)].map(([label, iterations]) => {
    const numbers = new Map<string, number>();
    const runs: { kind: number; count: number }[] = [];
    for (const [, kind] of [...iterations].sort(([a], [b]) => a - b)) {
      const text = kindText(kind);
      const number = numbers.get(text) ?? numbers.set(text, numbers.size + 1).get(text)!;
      if (runs.at(-1)?.kind === number) runs[runs.length - 1] = { kind: number, count: runs.at(-1)!.count + 1 };
      else runs.push({ kind: number, count: 1 });
    }
    return [label, runs];
  }));
}
