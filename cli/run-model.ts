import { ByteDecoder, encodeBytes } from '../runtime/byte-tokenizer.js';
import { type Generation, generate } from '../runtime/generate.js';
import { UsageError } from './failure.js';
import { type Prepared, prepare } from './prepare.js';
import type { RunOptions } from './run.js';
import { formatBytes, note, ProgressLine } from './terminal.js';
import { readPrompts } from './tokens.js';

export async function runModel(spec: string, options: RunOptions): Promise<void> {
  if (options.weights === undefined && options.init === undefined) throw new UsageError('say where the weights come from: --weights DIR, or --init SEED for random ones');
  if (options.prompt === undefined && options.tokens === undefined) throw new UsageError('give --prompt TEXT or --tokens IDS.json');
  if (options.prompt === '') throw new UsageError('the prompt is empty; give it at least one character');
  // The vocabulary is known only after compiling, so text is checked against it later.
  const prompts = options.tokens === undefined ? [encodeBytes(options.prompt!, 256)] : readPrompts(options.tokens);
  const longest = prompts.reduce((most, p) => Math.max(most, p.length), 0);
  const prepared = await prepare(spec, { ...options, prompts, longest: longest + options.maxTokens, maxTokens: Math.min(options.chunk ?? 512, longest) });
  try {
    if (options.init !== undefined) note('weights: random, so the text is noise');
    if (options.prompt !== undefined) encodeBytes(options.prompt, prepared.model.session.vocabulary);
    const results: Generation[] = [];
    for (const prompt of prompts) {
      results.push(await continuePrompt(prompt, prepared, options));
      if (results.at(-1)!.reason !== 'aborted') continue;
      process.exitCode = 130;
      break;
    }
    if (options.json) process.stdout.write(`${JSON.stringify({ device: prepared.device.name, results, memory: Object.fromEntries(memoryByKind(prepared)) })}\n`);
    else printEnd(results, prepared);
  } finally {
    await prepared.close();
  }
}

async function continuePrompt(prompt: readonly number[], { model, compiled }: Prepared, options: RunOptions): Promise<Generation> {
  const asText = options.prompt !== undefined;
  const decoder = new ByteDecoder();
  const line = new ProgressLine();
  const write = (text: string): void => { if (!options.json) process.stdout.write(text); };
  const abort = new AbortController();
  // The first Ctrl-C ends the text and still reports; the next one ends the program.
  const interrupt = (): void => { if (abort.signal.aborted) process.exit(130); abort.abort(); };
  const others = process.listeners('SIGINT') as (() => void)[];
  process.removeAllListeners('SIGINT').on('SIGINT', interrupt);
  try {
    const result = await generate(model.session, prompt, {
      maxTokens: options.maxTokens, temperature: options.temperature, seed: options.seed, stop: compiled.info!.stop, signal: abort.signal,
      ...(options.chunk === undefined ? {} : { chunk: options.chunk }),
      onPrompt: (done, total) => { if (done < total) line.update(() => `prompt: ${done} of ${total} tokens`); else line.end(); },
      onToken: (id) => write(asText ? decoder.push(id) : `${id} `),
    });
    write(asText ? `${decoder.end()}\n` : '\n');
    return result;
  } finally {
    process.removeListener('SIGINT', interrupt);
    for (const listener of others) process.on('SIGINT', listener);
  }
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
    const rate = (tokens: number, seconds: number): string => `${tokens} ${tokens === 1 ? 'token' : 'tokens'} in ${seconds.toFixed(2)} s (${(tokens / seconds).toFixed(1)} tokens/s)`;
    const decode = r.decodedTokens > 0 ? `; decode ${rate(r.decodedTokens, r.decodeSeconds)}` : '';
    note(`prompt ${rate(r.promptTokens, r.prefillSeconds)}${decode}; ended by ${r.reason}`);
  }
  const memory = [...memoryByKind(prepared)].map(([kind, bytes]) => `${kind} ${formatBytes(bytes)}`).join(', ');
  note(`memory on ${prepared.device.name}: ${memory}; process ${formatBytes(process.memoryUsage.rss())}`);
}
