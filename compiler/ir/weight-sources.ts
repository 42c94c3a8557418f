/**
 * Where each weight of a plan comes from in a checkpoint: the `weights` section of a spec, resolved. A layout pattern is
 * by now only numbers: a weight is a strided window on a stored tensor, so splitting, fusing, slicing and transposing
 * are one thing. Plain JSON, written beside the plan (`weights.json`).
 */
export interface WeightSources {
  readonly version: 1;
  /** Checkpoint names that the model does not use; `*` stands for any characters. */
  readonly ignore: readonly string[];
  /** One per weight, in the plan's order. */
  readonly weights: readonly WeightSource[];
}

export interface WeightSource {
  readonly path: string;
  /**
   * Name in the checkpoint. `{experts}` stands for the index along the weight's axis `experts`: one stored tensor per
   * index; text in brackets may be missing: `[model.]embed.weight`. A name ending in `.weight` may also be stored as `.weight_packed`, `.weight_scale` and `.weight_shape` (int4).
   */
  readonly tensor: string;
  /** Shape that the stored tensor has. */
  readonly shape: readonly number[];
  /** Of the window's first element, in elements. */
  readonly offset: number;
  /** The weight's other axes, in its order, and the distance between neighbours in the stored tensor, in elements. */
  readonly axes: readonly { readonly name: string; readonly size: number; readonly stride: number }[];
  /** The rule it came from, as written, and `file:line`. */
  readonly rule: string;
  readonly where: string;
}

/** A stored name with and without what stands in brackets, the longest first. */
export function nameVariants(name: string): string[] {
  const [whole, optional] = /\[([^[\]]*)\]/.exec(name) ?? [];
  if (whole === undefined) return [name];
  return [name.replace(whole, optional), name.replace(whole, '')].flatMap(nameVariants);
}
