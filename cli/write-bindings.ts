/** The module that `bindings` writes: what the plan of one model takes and gives, as types. */
import { basename } from 'node:path';
import type { Project as ProjectType, SourceFile as ModuleFile, OptionalKind, PropertySignatureStructure } from 'ts-morph';
import type { Scalar } from '../compiler/ir/kernel.js';
import { printScalar } from '../compiler/kernels/scalar.js';
import { compile, type Compiled, type Entry, nodeLoader, type Port, readSpec } from '../index.js';
import { writeFileAtomically } from '../runtime/atomic-file.js';
import type { BindingsOptions } from './bindings.js';
import { CommandError } from './failure.js';
import { report } from './report.js';
import { note } from './terminal.js';

export async function writeBindings(spec: string, options: BindingsOptions): Promise<void> {
  const Project = await tsMorph();
  const sizes = Object.fromEntries((['context', 'maxTokens', 'sequences', 'precision'] as const).flatMap((k) => (options[k] === undefined ? [] : [[k, options[k]]])));
  const compiled = compile({ entry: readSpec(spec), load: nodeLoader, target: 'null', ...sizes });
  report(compiled.diagnostics, compiled.files);
  await writeFileAtomically(options.output, moduleText(new Project({ useInMemoryFileSystem: true }), compiled, basename(spec), sizes));
  note(`wrote ${options.output}: ${compiled.bundle!.plan.entries.map((e) => e.name).join(' and ')} of ${compiled.info!.name}`);
}

async function tsMorph(): Promise<typeof ProjectType> {
  try {
    const name = 'ts-morph';
    return (await import(name) as { Project: typeof ProjectType }).Project;
  } catch {
    throw new CommandError('C40', "the package 'ts-morph', which writes TypeScript, is not installed", 'npm install --save-dev ts-morph');
  }
}

/** Words that TypeScript keeps for itself, and names that the module uses. */
const taken = new Set(`await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in
  instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield any never unknown string number boolean
  object symbol undefined arguments eval Promise Pick Object Error Float32Array Int32Array Uint32Array Uint16Array Uint8Array dims limits stop sizes`.split(/\s+/).concat(['firn', ...imported().map((i) => i.name)]));

function imported(): { readonly name: string; readonly isTypeOnly?: boolean }[] {
  const values = ['compile', 'FirnError', 'generate', 'load', 'nodeLoader', 'readSpec'].map((name) => ({ name }));
  const types = ['CompileRequest', 'Device', 'GenerateOptions', 'Generation', 'LoadedModel', 'LoadOptions'].map((name) => ({ name, isTypeOnly: true }));
  return [...values, ...types].sort((a, b) => a.name.localeCompare(b.name));
}

/** The model's name, or with `Model` behind where that means something else. */
function className(model: string, entries: readonly Entry[]): string {
  const types = entries.flatMap((e) => ['Dims', 'Inputs', 'Outputs'].map((kind) => `${pascal(e.name)}${kind}`));
  return taken.has(model) || types.includes(model) ? `${model}Model` : model;
}

function moduleText(project: ProjectType, { bundle, info }: Compiled, spec: string, sizes: object): string {
  const { entries, model, dims: limits } = bundle!.plan;
  const file = project.createSourceFile('model.ts', `/** ${model} of ${spec}, written by \`firn bindings\`: run it again when the spec changes. */\n`);
  file.addImportDeclaration({
    moduleSpecifier: 'firn',
    namedImports: imported(),
  });
  constant(file, 'dims', `{ ${[...info!.dims].map(([k, v]) => `${k === '__proto__' ? '["__proto__"]' : k}: ${v}`).join(', ')} } as const`, 'Sizes that the spec declares.');
  constant(file, 'limits', `{ ${limits.map((d) => `${d.name}: ${d.max}`).join(', ')} } as const`, 'The largest value of each dim that a run states, and what the caches hold.');
  constant(file, 'stop', `[${info!.stop.join(', ')}] as const`, 'Token ids that end a text.');
  constant(file, 'sizes', `${JSON.stringify(sizes)} as const`, 'What the plan is compiled for.', false);
  for (const entry of entries) addEntryTypes(file, entry);
  addClass(file, model, className(model, entries), entries);
  file.formatText({ indentSize: 2 });
  return file.getFullText();
}

function constant(file: ModuleFile, name: string, initializer: string, docs: string, isExported = true): void {
  file.addVariableStatement({ isExported, declarationKind: 'const' as never, declarations: [{ name, initializer }], docs: [docs] });
}

function pascal(name: string): string {
  return name.split(/[^A-Za-z0-9]+/).map((w) => w.charAt(0).toUpperCase() + w.slice(1)).join('');
}

const arrays: Readonly<Record<string, string>> = { f32: 'Float32Array', i32: 'Int32Array', u32: 'Uint32Array', bf16: 'Uint16Array', f16: 'Uint16Array', bool: 'Uint8Array', u8: 'Uint8Array' };

const meanings: Readonly<Record<string, string>> = {
  tokens: 'token ids, those of a sequence together', position: 'index of each token in its own sequence', sequence: 'row of `blocks` of each token', slot: 'cache entry that each token writes',
  blocks: 'cache blocks of each sequence, in order', starts: 'where each sequence begins among the tokens, then their number', rows: 'tokens whose logits are wanted',
  temperature: '0 takes the likeliest token', seed: 'of the sampling', top_k: 'how many of the likeliest tokens are kept; 0: neither limit is applied', top_p: 'how much of the probability is kept, with top_k above 0', logits: 'one row per wanted token', next: 'the sampled token of each wanted row',
};

function portProperty(port: Port): OptionalKind<PropertySignatureStructure> {
  const axes = port.shape.map((s: Scalar) => printScalar(s)).join(', ');
  const meaning = meanings[port.name];
  return { name: JSON.stringify(port.name).slice(1, -1), type: arrays[port.dtype] ?? 'Uint8Array', isReadonly: true, docs: [`${port.dtype} [${axes}], row-major${meaning === undefined ? '' : `: ${meaning}`}`] };
}

function addEntryTypes(file: ModuleFile, entry: Entry): void {
  const name = pascal(entry.name);
  file.addInterface({
    name: `${name}Dims`, isExported: true, docs: [`What a run of \`${entry.name}\` states of its size.`],
    properties: entry.dims.map((d) => ({ name: d.name, type: 'number', isReadonly: true, docs: [`1 to ${d.max}`] })),
  });
  file.addInterface({ name: `${name}Inputs`, isExported: true, docs: [`What \`${entry.name}\` takes.`], properties: entry.inputs.map(portProperty) });
  file.addInterface({ name: `${name}Outputs`, isExported: true, docs: [`What \`${entry.name}\` can give.`], properties: entry.outputs.map(portProperty) });
}

function addClass(file: ModuleFile, model: string, name: string, entries: readonly Entry[]): void {
  const c = file.addClass({ name, isExported: true, docs: [`${model} on a device, with weights.`] });
  c.addConstructor({ scope: 'private' as never, parameters: [{ name: 'model', type: 'LoadedModel', isReadonly: true }] });
  c.addMethod({
    name: 'load', isStatic: true, isAsync: true, returnType: `Promise<${name}>`,
    docs: ['Compiles the spec at `path` for `device` and fills its weights. Throws FirnError if the spec is wrong, and Error if it is another one than this module was written for.'],
    parameters: [{ name: 'path', type: 'string' }, { name: 'device', type: 'Device' }, { name: 'options', type: 'LoadOptions' }],
    statements: [
      "const { bundle, info, diagnostics, files } = compile({ entry: readSpec(path), load: nodeLoader, target: device.name as CompileRequest['target'], ...sizes });",
      'if (!bundle || !info) throw new FirnError(diagnostics, files);',
      `if (bundle.plan.model !== '${model}' || Object.entries(dims).some(([name, size]) => info.dims.get(name) !== size)) throw new Error(\`\${path} is not the spec that this module was written for: run firn bindings again\`);`,
      `return new ${name}(await load(bundle, device, options));`,
    ],
  });
  c.addMethod({
    name: 'generate', returnType: 'Promise<Generation>', docs: ['Continues a prompt of token ids.'],
    parameters: [{ name: 'prompt', type: 'readonly number[]' }, { name: 'options', type: 'GenerateOptions' }],
    statements: ['return generate(this.model.session, prompt, { stop, ...options });'],
  });
  for (const entry of entries) {
    const type = pascal(entry.name);
    c.addMethod({
      name: entry.name, isAsync: true, typeParameters: [`K extends keyof ${type}Outputs`], returnType: `Promise<Pick<${type}Outputs, K>>`,
      docs: [`One run of \`${entry.name}\`: the outputs asked for.`],
      parameters: [{ name: 'dims', type: `${type}Dims` }, { name: 'inputs', type: `${type}Inputs` }, { name: 'outputs', type: 'readonly K[]' }],
      statements: [`return await this.model.executable.run('${entry.name}', { ...dims }, { ...inputs }, outputs) as unknown as Pick<${type}Outputs, K>;`],
    });
  }
  c.addMethod({ name: 'close', returnType: 'Promise<void>', docs: ['Frees what it holds on the device.'], statements: ['return this.model.close();'] });
}
