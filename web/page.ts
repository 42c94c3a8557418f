/** The page: choose weights, watch them load, write a prompt, read the tokens as they come. */
import type { Device } from '../backends/device.js';
import { generate, type Generation } from '../runtime/generate.js';
import { type CompiledModel, fetchCompiledModel } from './compiled-model.js';
import { describeFailure } from './failure.js';
import { readRequest, readSeed } from './fields.js';
import { type LoadState, loadModel, openGpu, type ReadyModel } from './model.js';
import { formatBytes, formatRate } from '../runtime/format.js';
import { view } from './view.js';
import type { WeightsFrom } from './weights-from.js';

let compiled: CompiledModel | undefined;
let device: Device | undefined;
let model: ReadyModel | undefined;
/** Ends what is going on: loading or generating, never both. */
let current: AbortController | undefined;

/** Runs one action with its failure shown; all buttons but the one that ends it wait. */
async function act(end: HTMLButtonElement, action: (signal: AbortSignal) => Promise<void>): Promise<void> {
  current = new AbortController();
  view.failure.box.hidden = true;
  showButtons(end);
  try {
    await action(current.signal);
  } catch (error) {
    if (!current.signal.aborted) await showFailure(error);
  } finally {
    current = undefined;
    showButtons(undefined);
  }
}

function showButtons(end: HTMLButtonElement | undefined): void {
  const ready = compiled !== undefined && end === undefined;
  for (const start of [view.loadFolder, view.loadRandom, ...view.urlForm.querySelectorAll('button')]) start.disabled = !ready;
  view.generate.disabled = !ready || model === undefined;
  for (const button of [view.abort, view.stop]) button.disabled = button !== end;
  view.loading.hidden = end !== view.abort;
  document.body.ariaBusy = String(end !== undefined);
}

async function showFailure(error: unknown): Promise<void> {
  const { code, text, fix } = describeFailure(error);
  view.failure.code.textContent = code;
  view.failure.text.textContent = text;
  view.failure.fix.textContent = fix;
  view.failure.box.hidden = false;
  console.error(error);
  // A lost device takes the model with it; loading opens another.
  if (code === 'D22') await closeDevice();
}

async function closeModel(): Promise<void> {
  await model?.close();
  model = undefined;
  view.loaded.textContent = '';
}

async function closeDevice(): Promise<void> {
  await closeModel();
  await device?.close();
  device = undefined;
}

async function openDevice(): Promise<Device> {
  device ??= await openGpu();
  view.device.textContent = `on ${device.description}`;
  return device;
}

function loadFrom(choose: () => WeightsFrom): Promise<void> {
  return act(view.abort, async (signal) => {
    const from = choose();
    await closeModel();
    showProgress({ what: 'opening', done: 0, total: 1, received: 0 });
    const started = performance.now();
    model = await loadModel(await openDevice(), compiled!, from, signal, showProgress);
    view.loaded.textContent = `${from.kind === 'random' ? 'random weights, so the text is noise' : `loaded, text by ${model.tokenizer.name}`}, in ${((performance.now() - started) / 1000).toFixed(1)} s; memory on the GPU: ${memoryText(model)}`;
  });
}

function showProgress({ what, done, total, received }: LoadState): void {
  view.progress.max = total;
  view.progress.value = done;
  view.progressText.textContent = `${what}: ${formatBytes(done)} of ${formatBytes(total)}${received > 0 ? `, ${formatBytes(received)} received` : ''}`;
}

function memoryText({ executable, session }: ReadyModel): string {
  const byKind = new Map<string, number>();
  for (const { id, kind } of session.plan.buffers) byKind.set(kind, (byKind.get(kind) ?? 0) + (executable.resident.get(id) ?? 0));
  const all = [...byKind.values()].reduce((a, b) => a + b, 0);
  return `${formatBytes(all)} (${[...byKind].map(([kind, bytes]) => `${kind} ${formatBytes(bytes)}`).join(', ')})`;
}

function continuePrompt(): Promise<void> {
  return act(view.stop, async (signal) => {
    const { session, tokenizer, stop } = model!;
    const request = readRequest(tokenizer, session.vocabulary);
    const decoder = tokenizer.decoder();
    const write = (text: string): void => view.text.append(text);
    view.text.textContent = '';
    view.speed.textContent = 'reading the prompt';
    let first = 0;
    let count = 0;
    const result = await generate(session, request.prompt, {
      ...request, stop, signal,
      onPrompt: (done, total) => { view.speed.textContent = `prompt: ${done} of ${total} tokens`; },
      onToken: (id) => {
        if (count++ === 0) first = performance.now();
        else view.speed.textContent = formatRate(count - 1, (performance.now() - first) / 1000);
        write(request.asIds ? `${id} ` : decoder.push(id));
      },
    });
    if (!request.asIds) write(decoder.end());
    view.speed.textContent = summary(result);
  });
}

function summary(r: Generation): string {
  const decode = r.decodedTokens > 0 ? `; decode ${formatRate(r.decodedTokens, r.decodeSeconds)}` : '';
  return `prompt ${formatRate(r.promptTokens, r.prefillSeconds)}${decode}; ended by ${r.reason}`;
}

async function start(): Promise<void> {
  view.url.value = new URLSearchParams(location.search).get('weights') ?? '';
  try {
    compiled = await fetchCompiledModel();
    const { plan } = compiled.bundle;
    view.model.textContent = document.title = plan.model;
    view.model.title = `plan ${plan.hash.slice(0, 12)}, ${plan.kernels.length} kernels, ${formatBytes(plan.peakBytes)}`;
    await openDevice();
  } catch (error) {
    view.device.textContent = '';
    await showFailure(error);
  }
  showButtons(undefined);
}

view.loadFolder.addEventListener('click', () => void loadFrom(() => ({ kind: 'folder', files: [...(view.folder.files ?? [])] })));
view.urlForm.addEventListener('submit', (event) => {
  event.preventDefault();
  void loadFrom(() => ({ kind: 'url', url: view.url.value }));
});
view.loadRandom.addEventListener('click', () => void loadFrom(() => ({ kind: 'random', seed: readSeed(view.initSeed, 'random, from seed') })));
view.generate.addEventListener('click', () => void continuePrompt());
for (const button of [view.abort, view.stop]) button.addEventListener('click', () => current?.abort());
await start();
