/** How large things may become when a plan runs: decided before planning, for each entry point. */
import type { ModelInfo } from './check/model-info.js';
import { meshGroups, rankCount, type Mesh } from './ir/mesh.js';
import type { StateDecl } from './ir/graph.js';
import { entryStride } from './ir/ops-state.js';
import type { Target } from './kernels/targets.js';
import type { EntryLaunches } from './plan/launches.js';
import type { PlanOptions } from './plan/options.js';

export interface SizeRequest {
  readonly target: Target;
  /** Tokens of the longest sequence: at most the model's own context, which it is if absent. */
  readonly context?: number;
  /** Tokens that sequences will have at most, if that is known: there is room for no more. */
  readonly longest?: number;
  /** Tokens of one run at most (longer prompts go in several). */
  readonly maxTokens?: number;
  /** Sequences at a time. */
  readonly sequences?: number;
  /** Rows of logits of one run at most; one per sequence if absent. */
  readonly outputs?: number;
  /** False: every op is a kernel of its own, to find out whether fusion is at fault. */
  readonly fuse?: boolean;
  /** Parts per mesh axis, for a plan of several ranks; the spec's own `mesh` binds none by itself. */
  readonly mesh?: Mesh;
}

export const planSizes = {
  /** Tokens per cache block. */
  block: 16,
  /** WebGPU binds at most 128 MiB. */
  wgslBinding: 128 * 1024 * 1024,
  options(info: ModelInfo, request: SizeRequest, states: readonly StateDecl[]): PlanOptions {
    const { sequences, blocks } = sizes(info, request);
    return {
      target: request.target, block: planSizes.block, fixed: { slots: sequences * blocks * planSizes.block, pool: sequences, ...entrySlots(states, sequences * blocks * planSizes.block) },
      ...(request.mesh ? { ranks: rankCount(request.mesh), groups: meshGroups(request.mesh) } : {}),
      ...(request.target === 'wgsl' ? { maxBufferBytes: planSizes.wgslBinding } : {}),
    };
  },
};

/** Dims of the states that keep fewer entries than tokens. */
function entrySlots(states: readonly StateDecl[], slots: number): Readonly<Record<string, number>> {
  const strides = states.flatMap((s) => (s.every === undefined ? [] : [entryStride(s.every, planSizes.block)])).filter((n) => n > 1);
  return Object.fromEntries(strides.map((n) => [`slots_${n}`, slots / n]));
}

function sizes(info: ModelInfo, request: SizeRequest) {
  const context = request.context ?? Math.min(info.context, request.longest ?? info.context);
  const sequences = request.sequences ?? 1;
  const tokens = Math.max(1, Math.min(request.maxTokens ?? 256, context * sequences));
  return { context, sequences, tokens, blocks: Math.ceil(context / planSizes.block), outputs: Math.min(tokens, request.outputs ?? sequences) };
}

/** `decode`: one token per sequence; `prefill`: anything up to the largest run. Either takes any mix that fits. */
export function entryDims(info: ModelInfo, request: SizeRequest): { readonly name: string; readonly few: boolean; readonly dims: EntryLaunches['dims'] }[] {
  const { context, sequences, tokens, blocks, outputs } = sizes(info, request);
  const dims = (most: number): EntryLaunches['dims'] => Object.entries({ tokens: most, outputs: Math.min(most, Math.max(outputs, sequences)), sequences, blocks, context }).map(([name, max]) => ({ name, max }));
  return [{ name: 'decode', few: true, dims: dims(Math.min(tokens, sequences)) }, { name: 'prefill', few: false, dims: dims(tokens) }];
}
