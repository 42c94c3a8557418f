/** Prompt in, tokens out: chunked prefill, then one token per run, sampled inside the plan. */
import type { HostArray } from '../backends/device.js';
import { InputError } from './input-error.js';
import type { Sampling, Sequence, Session } from './session.js';

export interface GenerateOptions extends Partial<Sampling> {
  readonly maxTokens: number;
  /** Ids that end the text; they are not part of it. */
  readonly stop?: readonly number[];
  /** Most prompt tokens per run. */
  readonly chunk?: number;
  readonly onPrompt?: (done: number, total: number) => void;
  readonly onToken?: (id: number) => void;
  readonly signal?: AbortSignal;
}

export type StopReason = 'stop' | 'length' | 'context' | 'aborted';

export interface Generation {
  readonly tokens: readonly number[];
  readonly reason: StopReason;
  readonly promptTokens: number;
  readonly prefillSeconds: number;
  /** For `decodedTokens` tokens: the first one comes from the prompt's last run. */
  readonly decodeSeconds: number;
  readonly decodedTokens: number;
}

/** Continues `prompt` in a sequence of its own, which is closed afterwards. */
export async function generate(session: Session, prompt: readonly number[], options: GenerateOptions): Promise<Generation> {
  requirePrompt(prompt);
  const sequence = session.open();
  try {
    const started = performance.now();
    const first = await prefill(session, sequence, prompt, options);
    const prefilled = performance.now();
    const tokens: number[] = [];
    const reason = first === undefined ? 'aborted' : await decode(session, sequence, first, tokens, options);
    const seconds = (from: number, to: number): number => (to - from) / 1000;
    return {
      tokens, reason, promptTokens: prompt.length, prefillSeconds: seconds(started, prefilled), decodeSeconds: seconds(prefilled, performance.now()),
      decodedTokens: sequence.length - prompt.length,
    };
  } finally {
    session.close(sequence);
  }
}

export function requirePrompt(prompt: readonly number[]): void {
  if (prompt.length === 0) throw new InputError('R06', 'the prompt has no token', 'give a prompt of at least one token');
}

export const samplingOf = (options: Partial<Sampling>): Sampling => ({ temperature: options.temperature ?? 0, seed: options.seed ?? 0, topK: options.topK ?? 0, topP: options.topP ?? 1 });

/** Runs the prompt in chunks; the token that follows it, or undefined if aborted. */
async function prefill(session: Session, sequence: Sequence, prompt: readonly number[], options: GenerateOptions): Promise<number | undefined> {
  const chunk = Math.min(options.chunk ?? Infinity, session.largestRun('last'));
  let next: HostArray = new Int32Array(0);
  for (let start = 0; start < prompt.length; start += chunk) {
    if (options.signal?.aborted) return undefined;
    const end = Math.min(prompt.length, start + chunk);
    const work = { sequence, tokens: prompt.slice(start, end), rows: end === prompt.length ? 'last' as const : 'none' as const };
    [{ outputs: { next } }] = await session.run([work], ['next'], samplingOf(options));
    options.onPrompt?.(end, prompt.length);
  }
  return next[0];
}

/** Appends to `tokens` until something ends it. */
async function decode(session: Session, sequence: Sequence, first: number, tokens: number[], options: GenerateOptions): Promise<StopReason> {
  for (let id = first; ;) {
    if (options.stop?.includes(id)) return 'stop';
    if (tokens.length >= options.maxTokens) return 'length';
    tokens.push(id);
    options.onToken?.(id);
    if (tokens.length >= options.maxTokens) return 'length';
    if (sequence.length >= session.context) return 'context';
    if (options.signal?.aborted) return 'aborted';
    const [{ outputs: { next } }] = await session.run([{ sequence, tokens: [id], rows: 'last' }], ['next'], samplingOf(options));
    id = next[0];
  }
}
