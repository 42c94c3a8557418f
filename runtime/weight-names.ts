/**
 * Agreement between what a model needs and what a checkpoint holds, in both directions and before any byte is read:
 * every weight has its stored tensors with the right shape and a dtype that can serve, every stored tensor is a
 * weight's or ignored by a rule.
 */
import type { DType } from '../compiler/ir/dtype.js';
import { nameVariants, type WeightSource, type WeightSources } from '../compiler/ir/weight-sources.js';
import { CheckpointError } from './checkpoint-error.js';
import type { StoredDType, StoredTensor } from './safetensors.js';

/** What is needed of a checkpoint here; `Checkpoint` is one. */
export interface StoredTensors { readonly path: string; readonly tensors: ReadonlyMap<string, StoredTensor> }

const plain: Partial<Record<StoredDType, DType>> = { F32: 'f32', BF16: 'bf16', F16: 'f16', I32: 'i32', U32: 'u32' };

/** The value dtype of stored elements; undefined for those that no weight can have. */
export function valueDType(stored: StoredDType): DType | undefined {
  return plain[stored];
}

/** Names of the three stored parts of an int4 tensor whose plain name would be `name`. */
export function int4Parts(name: string): { packed: string; scale: string; shape: string } {
  const stem = name.endsWith('.weight') ? name.slice(0, -'.weight'.length) : name;
  return { packed: `${stem}.weight_packed`, scale: `${stem}.weight_scale`, shape: `${stem}.weight_shape` };
}

/** The multipliers beside a tensor of fp8 codes. */
export function scaleName(name: string): string {
  return `${name}_scale_inv`;
}

/** Names of the two stored parts of an mxfp4 tensor. */
export function mxfp4Parts(name: string): { blocks: string; scales: string } {
  return { blocks: `${name}_blocks`, scales: `${name}_scales` };
}

/** Every stored tensor of those that stand for `name`; none if it is missing. */
function storedParts(name: string, checkpoint: StoredTensors): string[] {
  const { tensors } = checkpoint;
  if (tensors.has(name)) return tensors.has(scaleName(name)) ? [name, scaleName(name)] : [name];
  return [Object.values(int4Parts(name)), Object.values(mxfp4Parts(name))].find(([first]) => tensors.has(first)) ?? [];
}

/** `tensor` of a source with an index for every axis that the name spells out. */
export function storedName(source: WeightSource, index: ReadonlyMap<string, number>): string {
  return source.tensor.replace(/\{([^{}]*)\}/g, (_, axis: string) => String(index.get(axis)));
}

export function namedAxes(source: WeightSource): string[] {
  return [...source.tensor.matchAll(/\{([^{}]*)\}/g)].map((m) => m[1]);
}

/** The sources with those of their names that the checkpoint has; where it has none, without what is optional. */
export function settleNames(sources: WeightSources, checkpoint: StoredTensors): WeightSources {
  const weights = sources.weights.map((source) => {
    const variants = nameVariants(source.tensor);
    if (variants.length === 1) return source;
    const index = new Map(namedAxes(source).map((axis) => [axis, 0]));
    const found = variants.find((tensor) => {
      const name = storedName({ ...source, tensor }, index);
      return storedParts(name, checkpoint).length > 0;
    });
    return { ...source, tensor: found ?? variants[variants.length - 1] };
  });
  return { ...sources, weights };
}

/** All stored names of a source; `sizes` of the weight's axes. */
export function storedNames(source: WeightSource, sizes: ReadonlyMap<string, number>): string[] {
  let out: ReadonlyMap<string, number>[] = [new Map()];
  for (const axis of namedAxes(source)) {
    const size = sizes.get(axis);
    if (size === undefined) throw new Error(`weights: the name '${source.tensor}' spells out '${axis}', which '${source.path}' lacks`);
    out = out.flatMap((index) => Array.from({ length: size }, (_, i) => new Map([...index, [axis, i]])));
  }
  return out.map((index) => storedName(source, index));
}

/** Throws a CheckpointError that lists every name on either side that has no partner. */
export function matchNames(sources: WeightSources, checkpoint: StoredTensors, sizesOf: (path: string) => ReadonlyMap<string, number>): void {
  const used = new Set<string>();
  const missing: { name: string; source: WeightSource }[] = [];
  for (const source of sources.weights) {
    for (const name of storedNames(source, sizesOf(source.path))) {
      const parts = storedParts(name, checkpoint);
      for (const part of parts) used.add(part);
      if (parts.length === 0) missing.push({ name, source });
    }
  }
  const ignored = sources.ignore.map(globPattern);
  const unexpected = [...checkpoint.tensors.keys()].filter((name) => !used.has(name) && !ignored.some((p) => p.test(name)));
  if (missing.length > 0) throw missingTensors(checkpoint, missing, unexpected);
  if (unexpected.length > 0) throw unexpectedTensors(checkpoint, unexpected, sources);
}

function missingTensors(checkpoint: StoredTensors, missing: readonly { name: string; source: WeightSource }[], unexpected: readonly string[]): CheckpointError {
  const lines = missing.slice(0, 5).map(({ name, source }) => {
    const near = nearestName(name, unexpected);
    return `\n    '${name}' for ${source.path} (rule "${source.rule}", ${source.where})${near === undefined ? '' : `; did you mean '${near}'?`}`;
  });
  return new CheckpointError({
    code: 'F40', file: checkpoint.path, tensor: missing[0].name,
    cause: `${count(missing.length, 'stored tensor is', 'stored tensors are')} missing:${lines.join('')}${more(missing.length)}`,
    fix: 'change the rule in the weights section, or give the folder of the checkpoint that belongs to this spec',
  });
}

function unexpectedTensors(checkpoint: StoredTensors, unexpected: readonly string[], sources: WeightSources): CheckpointError {
  const known = sources.weights.map((s) => s.tensor);
  const lines = unexpected.slice(0, 5).map((name) => {
    const near = nearestName(name, known);
    return `\n    '${name}'${near === undefined ? '' : `; nearest known name: '${near}'`}`;
  });
  return new CheckpointError({
    code: 'F41', file: checkpoint.path, tensor: unexpected[0],
    cause: `${count(unexpected.length, 'stored tensor belongs', 'stored tensors belong')} to no weight:${lines.join('')}${more(unexpected.length)}`,
    fix: 'add a rule for it to the weights section, or an `ignore "..."` if the model does not need it',
  });
}

const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;
const more = (n: number): string => (n > 5 ? `\n    and ${n - 5} more` : '');

function globPattern(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
}

/** The closest of at most 20 000 names, if it is close. */
function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 4)) + 1;
  for (const candidate of candidates.slice(0, 20_000)) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const distance = editDistance(name, candidate, least);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance, or `limit` as soon as it cannot be less. */
function editDistance(a: string, b: string, limit: number): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length];
}
