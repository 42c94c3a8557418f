import type { Plan } from '../compiler/ir/plan.js';
import { type Generation, generate } from '../runtime/generate.js';
import { generateBatch } from '../runtime/generate-batch.js';
import { checkPrompt, vocabularyOf } from '../runtime/limits.js';
import { loadTokenizer, stopTokens } from '../runtime/tokenizer/load.js';
import { checkVocabulary, type Tokenizer } from '../runtime/tokenizer/tokenizer.js';
import { UsageError } from './failure.js';
import { type Prepared, prepare } from './prepare.js';
import type { RunOptions } from './run.js';
import { formatBytes, formatRate, note, ProgressLine } from './terminal.js';
import { lineWriter, textWriter, type TokenWriter } from './token-writer.js';
import { readPrompts } from './tokens.js';

export async function runModel(spec: string, options: RunOptions): Promise<void> {
  if (options.weights === undefined && options.init === undefined) throw new UsageError('say where the weights come from: --weights DIR, or --init SEED for random ones');
  if (options.prompt === undefined && options.tokens === undefined) throw new UsageError('give --prompt TEXT or --tokens IDS.json');
  if (options.prompt?.includes('')) throw new UsageError('the prompt is empty; give it at least one character');
  const tokenizer = options.prompt === undefined ? undefined : await loadTokenizer(options.weights);
  const prompts = tokenizer === undefined ? readPrompts(options.tokens!) : options.prompt!.map((text) => tokenizer.encode(text, options.specials));
  const stop = options.weights === undefined ? [] : await stopTokens(options.weights);
  const check = (plan: Plan): void => {
    if (tokenizer !== undefined) checkVocabulary(tokenizer, vocabularyOf(plan));
    for (const prompt of prompts) checkPrompt(plan, prompt);
  };
  const prepared = await prepare(spec, { ...options, check, ...sizesFor(prompts, options) });
  try {
    if (options.init !== undefined) note('weights: random, so the text is noise');
    if (tokenizer !== undefined) describe(tokenizer, options);
    const results = await withInterrupt((signal) => continueAll(prompts, prepared, tokenizer, { options, stop: [...prepared.compiled.info!.stop, ...stop], signal }));
    if (results.some((r) => r.reason === 'aborted')) process.exitCode = 130;
    if (options.json) process.stdout.write(`${JSON.stringify({ device: prepared.device.name, results: results.map((r) => withText(r, tokenizer)), memory: Object.fromEntries(memoryByKind(prepared)) })}\n`);
    else printEnd(results, prepared);
  } finally {
    await prepared.close();
  }
}

function sizesFor(prompts: readonly (readonly number[])[], options: RunOptions): { longest: number; maxTokens: number; sequences: number } {
  const longest = prompts.reduce((most, p) => Math.max(most, p.length), 0);
  const sum = prompts.reduce((n, p) => n + p.length, 0);
  return {
    longest: longest + options.maxTokens, sequences: options.batch ? prompts.length : 1,
    maxTokens: Math.max(options.batch ? prompts.length : 1, Math.min(options.chunk ?? 512, options.batch ? sum : longest)),
  };
}

function describe(tokenizer: Tokenizer, { weights }: RunOptions): void {
  const why = weights === undefined ? 'random weights have no other' : `${weights} has neither tokenizer.json nor tiktoken.model`;
  note(tokenizer.name === 'bytes' ? `tokenizer: bytes (${why})` : `tokenizer: ${tokenizer.name} in ${weights}`);
}

interface Run { readonly options: RunOptions; readonly stop: readonly number[]; readonly signal: AbortSignal }

async function continueAll(prompts: readonly (readonly number[])[], { model }: Prepared, tokenizer: Tokenizer | undefined, { options, stop, signal }: Run): Promise<Generation[]> {
  const line = new ProgressLine();
  const { maxTokens, temperature, seed, topK, topP, chunk } = options;
  const common = {
    maxTokens, temperature, seed, topK, topP, stop, signal, ...(chunk === undefined ? {} : { chunk }),
    onPrompt: (done: number, total: number) => { if (done < total) line.update(() => `prompt: ${done} of ${total} tokens`); else line.end(); },
  };
  const write = (text: string): void => { if (!options.json) process.stdout.write(text); };
  if (options.batch) {
    const writer = lineWriter(prompts.length, tokenizer, write);
    const results = await generateBatch(model.session, prompts, { ...common, onToken: (prompt, id) => writer.token(id, prompt) });
    writer.end();
    return results;
  }
  const results: Generation[] = [];
  for (const prompt of prompts) {
    const writer: TokenWriter = textWriter(tokenizer, write);
    results.push(await generate(model.session, prompt, { ...common, onToken: (id) => writer.token(id) }));
    writer.end();
    if (results.at(-1)!.reason === 'aborted') break;
  }
  return results;
}

/** The first Ctrl-C ends the text and still reports; the next one ends the program. */
async function withInterrupt<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const interrupt = (): void => { if (abort.signal.aborted) process.exit(130); abort.abort(); };
  const others = process.listeners('SIGINT') as (() => void)[];
  process.removeAllListeners('SIGINT').on('SIGINT', interrupt);
  try {
    return await act(abort.signal);
  } finally {
    process.removeListener('SIGINT', interrupt);
    for (const listener of others) process.on('SIGINT', listener);
  }
}

function withText(result: Generation, tokenizer: Tokenizer | undefined): Generation & { readonly text?: string } {
  if (tokenizer === undefined) return result;
  const decoder = tokenizer.decoder();
  return { ...result, text: `${result.tokens.map((id) => decoder.push(id)).join('')}${decoder.end()}` };
}

function memoryByKind({ model, compiled }: Prepared): Map<string, number> {
  const byKind = new Map<string, number>();
  for (const buffer of compiled.bundle!.plan.buffers) {
    byKind.set(buffer.kind, (byKind.get(buffer.kind) ?? 0) + (model.executable.resident.get(buffer.id) ?? 0));
  }
  return byKind;
}

function printEnd(results: readonly Generation[], prepared: Prepared): void {
  for (const r of results) {
    const decode = r.decodedTokens > 0 ? `; decode ${formatRate(r.decodedTokens, r.decodeSeconds)}` : '';
    note(`prompt ${formatRate(r.promptTokens, r.prefillSeconds)}${decode}; ended by ${r.reason}`);
  }
  const memory = [...memoryByKind(prepared)].map(([kind, bytes]) => `${kind} ${formatBytes(bytes)}`).join(', ');
  note(`memory on ${prepared.device.name}: ${memory}; process ${formatBytes(process.memoryUsage.rss())}`);
}
