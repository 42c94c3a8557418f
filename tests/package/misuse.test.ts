/** The typed API, called without a type checker: the TypeError names the argument, what it must be and what it was. */
import { expect, it } from 'vitest';
import * as api from '../../index.js';
import { smallSpec } from '../support/small-spec.js';

type Loose = Readonly<Record<string, (...args: unknown[]) => unknown>>;
const { compile, checkSpec, readSpec, openDevice, load, generate, generateBatch } = api as unknown as Loose;
const request = { entry: smallSpec, load: api.nodeLoader, target: 'null', longest: 20, maxTokens: 4 };
const bundle = api.compile(request as api.CompileRequest).bundle!;
const device = await api.openDevice('null');
const { session } = await api.load(bundle, device, { weights: { seed: 1 } });

it.each<readonly [string, () => unknown, string]>([
  ['no request', () => compile(), 'compile: request must be an object, it is undefined'],
  ['a path instead of a source', () => compile({ ...request, entry: 'a.firn' }), "compile: request.entry must be a file as { path, text }, such as readSpec gives, it is 'a.firn'"],
  ['no loader', () => checkSpec({ entry: smallSpec }), 'checkSpec: request.load must be a module loader, such as nodeLoader, it is undefined'],
  ['another target', () => compile({ ...request, target: 'gpu' }), "compile: request.target must be one of 'reference', "],
  ['a context as text', () => compile({ ...request, context: '64' }), "compile: request.context must be a whole number of 1 or more, it is '64'"],
  ['no path', () => readSpec(3), 'readSpec: path must be a string, it is 3'],
  ['another device', () => openDevice('gpu'), "openDevice: name must be one of 'cpu', "],
  ['diagnostics instead of a bundle', () => load([], device, { weights: { seed: 1 } }), 'load: bundle must be the bundle that compile gives, it is an array'],
  ['the name of a device', () => load(bundle, 'cpu', { weights: { seed: 1 } }), "load: device must be a device that openDevice gives, it is 'cpu'"],
  ['no weights', () => load(bundle, device, {}), 'load: options.weights must be { seed } or { checkpoint, sources }, it is undefined'],
  ['a model instead of its session', () => generate({ session }, [1], { maxTokens: 1 }), 'generate: session must be the session of a loaded model, it is an object without that'],
  ['text as a prompt', () => generate(session, 'snow', { maxTokens: 1 }), "generate: prompt must be an array of token ids, it is 'snow'"],
  ['no options', () => generate(session, [1]), 'generate: options must be an object, it is undefined'],
  ['no end', () => generate(session, [1], {}), 'generate: options.maxTokens must be a whole number of 0 or more, it is undefined'],
  ['a temperature that is none', () => generate(session, [1], { maxTokens: 1, temperature: NaN }), 'generate: options.temperature must be a number of 0 or more, it is NaN'],
  ['one prompt for several', () => generateBatch(session, [1, 2], { maxTokens: 1 }), 'generateBatch: prompts must be an array of arrays of token ids, it is an array'],
])('%s', async (_, call, message) => {
  const error = await (async () => call())().then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(TypeError);
  expect((error as Error).message).toContain(message);
});

it('typed arrays are prompts too', async () => {
  expect((await generate(session, Int32Array.of(1, 2), { maxTokens: 2 }) as api.Generation).tokens).toHaveLength(2);
});
