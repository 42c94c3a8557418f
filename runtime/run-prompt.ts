import type { HostArray } from '../backends/device.js';
import type { Session, Work } from './session.js';

/** Outputs of a stretch of a prompt: those of its tokens `start` .. `start + tokens` - 1. */
export interface PromptPart { readonly start: number; readonly tokens: number; readonly outputs: Readonly<Record<string, HostArray>> }

/**
 * Runs a prompt in a sequence of its own, `chunk` tokens at a time, with a row of logits for every token. `inputs`: further
 * ones of the plan for the whole prompt, row-major with the tokens first.
 */
export async function* runPrompt(
  session: Session, prompt: readonly number[], outputs: readonly string[], { chunk = Infinity, inputs = {} }: { readonly chunk?: number | undefined; readonly inputs?: Work['inputs'] } = {},
): AsyncGenerator<PromptPart> {
  const step = Math.min(chunk, session.largestRun('all'));
  const sequence = session.open();
  try {
    for (let start = 0; start < prompt.length; start += step) {
      const tokens = prompt.slice(start, start + step);
      const part = (all: Int32Array): Int32Array => all.subarray((all.length / prompt.length) * start, (all.length / prompt.length) * (start + tokens.length));
      const [result] = await session.run([{ sequence, tokens, rows: 'all', next: prompt.slice(start + step), inputs: Object.fromEntries(Object.entries(inputs).map(([name, all]) => [name, part(all)])) }], outputs);
      yield { start, tokens: tokens.length, outputs: result.outputs };
    }
  } finally {
    session.close(sequence);
  }
}
