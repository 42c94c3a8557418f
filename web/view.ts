/** The elements of index.html, and how numbers are written there. */

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`page: index.html has no ${type.name} '${id}'`);
  return found;
}
const input = (id: string): HTMLInputElement => element(id, HTMLInputElement);
const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement);
const output = (id: string): HTMLOutputElement => element(id, HTMLOutputElement);

export const view = {
  model: element('model', HTMLElement), device: output('device'),
  failure: { box: element('failure', HTMLElement), code: element('failure-code', HTMLElement), text: element('failure-text', HTMLElement), fix: element('failure-fix', HTMLElement) },
  folder: input('folder'), loadFolder: button('load-folder'), urlForm: element('url-form', HTMLFormElement), url: input('url'), initSeed: input('init-seed'), loadRandom: button('load-random'),
  loading: element('loading', HTMLElement), progress: element('progress', HTMLProgressElement), progressText: output('progress-text'), abort: button('abort'), loaded: output('loaded'),
  prompt: element('prompt', HTMLTextAreaElement), asIds: input('as-ids'), maxTokens: input('max-tokens'), temperature: input('temperature'), topK: input('top-k'), topP: input('top-p'), seed: input('seed'),
  generate: button('generate'), stop: button('stop'), speed: output('speed'), text: element('text', HTMLPreElement),
};

/** 1536 -> '1.5 KiB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

export function formatRate(tokens: number, seconds: number): string {
  return `${tokens} ${tokens === 1 ? 'token' : 'tokens'} in ${seconds.toFixed(2)} s (${(tokens / Math.max(seconds, 1e-9)).toFixed(1)} tokens/s)`;
}
