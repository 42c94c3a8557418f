/** What the planner is told besides the model and its launches. */
export interface PlanOptions {
  /** `cpu`, `wgsl`, `null`, `reference`: recorded in the plan. */
  readonly target: string;
  /** Dims fixed when a plan is loaded: `slots` (cache entries) and `pool` (sequences with recurrent state). */
  readonly fixed: Readonly<Record<string, number>>;
  /** Token entries per cache block. */
  readonly block: number;
  /** Largest piece of a buffer that the target can allocate and bind (wgsl: 128 MiB); no limit if absent. */
  readonly maxBufferBytes?: number;
  /** 1 if absent. */
  readonly ranks?: number;
  readonly groups?: readonly { readonly name: string; readonly teams: readonly (readonly number[])[] }[];
}
