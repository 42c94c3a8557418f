/** Which stored tensors of a checkpoint a spec wants as int4. */
import type { WeightSource, WeightSources } from '../compiler/ir/weight-sources.js';
import { CheckpointError } from './checkpoint-error.js';
import { matchNames, settleNames, storedNames, type StoredTensors } from './weight-names.js';

/** What is asked of a parameter's declaration; the compiler's is one. */
export interface DeclaredParameter {
  readonly paths: readonly string[];
  readonly type: { readonly axes: readonly { readonly name: string; readonly size: unknown }[] };
  readonly storage: { readonly kind: string; readonly group?: number; readonly along?: string };
}

/** Elements per scale, by stored name. Throws CheckpointError if names disagree or a layout cuts the groups. */
export function tensorsToQuantize(params: readonly DeclaredParameter[], asked: WeightSources, checkpoint: StoredTensors): Map<string, number> {
  const sources = settleNames(asked, checkpoint);
  const byPath = new Map(params.flatMap((p) => p.paths.map((path) => [path, p] as const)));
  const sizes = (path: string): Map<string, number> => new Map(byPath.get(path)!.type.axes.map((a) => [a.name, a.size as number]));
  matchNames(sources, checkpoint, sizes);
  const wanted = new Map<string, { group: number | undefined; source: WeightSource }>();
  for (const source of sources.weights) {
    const { storage } = byPath.get(source.path)!;
    if (storage.kind !== 'plain' && storage.kind !== 'int4') throw refuse(checkpoint, source, `is ${storage.kind} in the spec, and only int4 is written`, 'quantize it to int4, or not');
    const group = storage.kind === 'int4' ? storage.group : undefined;
    if (group !== undefined) checkLayout(checkpoint, source, storage.along!);
    for (const name of storedNames(source, sizes(source.path))) {
      const other = wanted.get(name);
      if (other !== undefined && other.group !== group) throw refuse(checkpoint, source, `is in one stored tensor with ${other.source.path}, and they are quantized differently`, 'quantize all parameters of that tensor alike');
      wanted.set(name, { group, source });
    }
  }
  const groups = new Map<string, number>();
  for (const [name, { group }] of wanted) if (group !== undefined && checkpoint.tensors.has(name)) groups.set(name, group);
  return groups;
}

/** Groups run along the last stored axis, which must be the one that the spec means. */
function checkLayout(checkpoint: StoredTensors, source: WeightSource, along: string): void {
  if (source.axes.find((a) => a.name === along)?.stride !== 1) throw refuse(checkpoint, source, `is quantized along ${along}, which is not the last axis of the stored tensor`, 'pack-quantized tensors have their groups along the last axis: quantize along the other side');
}

function refuse(checkpoint: StoredTensors, source: WeightSource, cause: string, fix: string): CheckpointError {
  return new CheckpointError({ code: 'F46', file: checkpoint.path, tensor: source.tensor, cause: `${source.path} ${cause}`, fix });
}
