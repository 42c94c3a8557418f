/**
 * Several prompts at once, in runs that they share. Each gets the tokens that it gets alone: prompts are cut into the
 * same chunks, and single tokens never share a run with chunks, so that every token meets the kernels that it meets alone.
 */
import { type GenerateOptions, type Generation, requirePrompt, samplingOf, type StopReason } from './generate.js';
import type { Sequence, Session, Work } from './session.js';

export interface BatchOptions extends Omit<GenerateOptions, 'onToken'> {
  readonly onToken?: (prompt: number, id: number) => void;
}

interface Text {
  readonly index: number;
  readonly prompt: readonly number[];
  readonly sequence: Sequence;
  readonly tokens: number[];
  /** Chosen, not yet run. */
  next: number | undefined;
  reason: StopReason | undefined;
  /** When the first token was chosen, and when the last one was. */
  started: number;
  ended: number;
}

/** Continues all `prompts`; the session must have room for as many sequences. Results are in their order. */
export async function generateBatch(session: Session, prompts: readonly (readonly number[])[], options: BatchOptions): Promise<Generation[]> {
  prompts.forEach(requirePrompt);
  const began = performance.now();
  const texts: Text[] = [];
  try {
    for (const [index, prompt] of prompts.entries()) texts.push({ index, prompt, sequence: session.open(), tokens: [], next: undefined, reason: undefined, started: began, ended: began });
    await advance(session, texts, options);
    return texts.map((t) => ({
      tokens: t.tokens, reason: t.reason ?? 'aborted', promptTokens: t.prompt.length, prefillSeconds: (t.started - began) / 1000,
      decodeSeconds: (t.ended - t.started) / 1000, decodedTokens: Math.max(0, t.sequence.length - t.prompt.length),
    }));
  } finally {
    for (const t of texts) session.close(t.sequence);
  }
}

async function advance(session: Session, texts: readonly Text[], options: BatchOptions): Promise<void> {
  const total = texts.reduce((n, t) => n + t.prompt.length, 0);
  for (let open = texts; open.length > 0; open = open.filter((t) => t.reason === undefined)) {
    if (options.signal?.aborted) return;
    const works = nextRun(session, open, options);
    const results = await session.run(works.map((w) => w.work), ['next'], samplingOf(options));
    const now = performance.now();
    works.forEach(({ text, work }, i) => {
      if (work.rows === 'last') take(session, text, results[i].outputs.next[0], now, options);
    });
    options.onPrompt?.(texts.reduce((n, t) => n + Math.min(t.prompt.length, t.sequence.length), 0), total);
  }
}

interface TextWork { readonly text: Text; readonly work: Work }

/** Chunks of prompts while there are any that fit, else one token of every text. */
function nextRun(session: Session, open: readonly Text[], options: BatchOptions): TextWork[] {
  const most = session.largestRun('last');
  const [chunks, singles]: [TextWork[], TextWork[]] = [[], []];
  let sum = 0;
  for (const text of open) {
    const { prompt, sequence } = text;
    const end = Math.min(prompt.length, sequence.length + Math.min(options.chunk ?? most, most));
    const tokens = text.next === undefined ? prompt.slice(sequence.length, end) : [text.next];
    const work: Work = { sequence, tokens, rows: text.next !== undefined || end === prompt.length ? 'last' : 'none' };
    if (tokens.length === 1) singles.push({ text, work });
    else if (sum + tokens.length <= most) {
      chunks.push({ text, work });
      sum += tokens.length;
    }
  }
  return chunks.length > 0 ? chunks : singles;
}

/** The token that follows all that has been run. */
function take(session: Session, text: Text, id: number, now: number, options: BatchOptions): void {
  if (text.tokens.length === 0) text.started = now;
  text.ended = now;
  if (options.stop?.includes(id)) { text.reason = 'stop'; return; }
  text.tokens.push(id);
  text.next = id;
  options.onToken?.(text.index, id);
  if (text.tokens.length >= options.maxTokens) text.reason = 'length';
  else if (text.sequence.length >= session.context) text.reason = 'context';
}
