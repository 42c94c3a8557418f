/** The elements of index.html. */

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
