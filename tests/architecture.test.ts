import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Project, type SourceFile, ts } from 'ts-morph';
import { describe, expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const project = new Project({ skipFileDependencyResolution: true, skipLoadingLibFiles: true, compilerOptions: { allowJs: false } });
const sources = ['dsl', 'compiler', 'backends', 'runtime', 'cli', 'web'].flatMap((folder) => project.addSourceFilesAtPaths(join(root, folder, '**/*.ts')));
const entry = project.addSourceFileAtPath(join(root, 'index.ts'));

const pathOf = (file: SourceFile): string => relative(root, file.getFilePath());

/** Calls `visit` for every node; the compiler's own nodes, since wrapping each costs seconds. */
function eachNode(file: SourceFile, visit: (node: ts.Node) => void): void {
  const walk = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, walk);
  };
  walk(file.compilerNode);
}

/** Identifiers and strings. */
function textsOf(file: SourceFile): string[] {
  const out: string[] = [];
  eachNode(file, (node) => {
    if (ts.isIdentifier(node) || ts.isStringLiteralLike(node)) out.push(node.text);
  });
  return out;
}

/** What a file names in imports, exports and dynamic imports: a path from the root, or a package. */
function importsOf(file: SourceFile): string[] {
  const names: string[] = [];
  eachNode(file, (node) => {
    const from = ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments[0] : undefined;
    if (from && ts.isStringLiteral(from)) names.push(from.text);
  });
  return names.map((name) => (name.startsWith('.') ? relative(root, join(dirname(file.getFilePath()), name)).replace(/\.js$/, '.ts') : name));
}

/** A file and what it imports, transitively; packages end there. */
function closureOf(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const file = project.getSourceFile(join(root, path));
  if (file) importsOf(file).forEach((target) => closureOf(target, seen));
  return seen;
}
const plan = closureOf('compiler/ir/plan.ts');
/** How elements lie in bytes is part of the plan's meaning: loading weights needs the same arithmetic as the kernels. */
const packing = new Set(['packing', 'packing-address', 'scaled-packing', 'float-codes', 'half'].map((name) => `compiler/kernels/${name}.ts`));

/** Besides the runtime, the page needs its device and the reader of plans. */
const pageNeeds = new Set(['backends/device.ts', 'backends/wgsl/device.ts', 'compiler/plan/plan-json.ts', 'compiler/plan/json-reader.ts']);

const layers: Record<string, (target: string, from: string) => boolean> = {
  dsl: (t, from) => t.startsWith('dsl/') || t === 'chevrotain' || (/-node\.ts$/.test(from) && t.startsWith('node:')),
  compiler: (t) => /^(compiler|dsl)\//.test(t),
  backends: (t, from) => (/^(backends|compiler)\//.test(t) && t !== 'compiler/ir/graph.ts') || t.startsWith('node:') || t === 'webgpu' || (from.startsWith('backends/conformance/') && t === 'vitest'),
  web: (t, from) => /^(web|runtime)\//.test(t) || plan.has(t) || pageNeeds.has(t) || (from === 'web/plots.ts' && (t === 'vega' || t === 'vega-lite')),
  runtime: (t) => t.startsWith('runtime/') || plan.has(t) || packing.has(t) || t === 'backends/device.ts' || t.startsWith('node:') || t === '@huggingface/tokenizers',
};

describe('dependencies point one way', () => {
  it.each(Object.keys(layers))('%s', (layer) => {
    const wrong = sources.filter((f) => pathOf(f).startsWith(`${layer}/`))
      .flatMap((file) => importsOf(file).filter((target) => !layers[layer](target, pathOf(file))).map((target) => `${pathOf(file)} imports ${target}`));
    expect(wrong).toEqual([]);
  });
  it('the page reaches nothing of Node', () => {
    const seen = closureOf('web/page.ts');
    expect(seen.size).toBeGreaterThan(40);
    const packages = [...seen].filter((path) => path.startsWith('node:') || !project.getSourceFile(join(root, path)));
    expect(packages).toEqual(['@huggingface/tokenizers']);
  });
  it('nothing imports the command line or the index', () => {
    const wrong = sources.filter((f) => !pathOf(f).startsWith('cli/')).flatMap((f) => importsOf(f).filter((t) => t.startsWith('cli/') || t === 'index.ts').map((t) => `${pathOf(f)} imports ${t}`));
    expect(wrong).toEqual([]);
  });
});

describe('the compiler knows no architecture', () => {
  const words = /^(mla|gqa|mha|moe|kimi|llama|mixtral|deepseek|moonlight|qwen|bloom|gemma|swiglu|geglu|rope|yarn|rotary|alibi|router|lora)s?$/;
  const split = (name: string): string[] => name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/).map((w) => w.toLowerCase().replace(/\d+$/, ''));
  it('in no identifier, string or file name', () => {
    const files = sources.filter((f) => /^(compiler|backends|runtime)\//.test(pathOf(f)) && !pathOf(f).startsWith('compiler/import/'));
    const wrong = files.flatMap((file) => {
      const names = [...new Set([pathOf(file), ...textsOf(file)])];
      return names.filter((name) => split(name).some((w) => words.test(w))).map((name) => `${pathOf(file)}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  const listed = (folder: string): string[] => readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && /\.(ts|mjs|cpp|cc|h|hpp|firn)$/.test(e.name)).map((e) => relative(root, join(e.parentPath, e.name)));
  const all = ['dsl', 'compiler', 'backends', 'runtime', 'cli', 'web', 'tests', 'scripts', 'bin'].flatMap(listed);
  it('have at most 400 lines', () => {
    expect(all.filter((path) => readFileSync(join(root, path), 'utf8').split('\n').length > 401)).toEqual([]);
  });
  it('are named in kebab-case after what they hold', () => {
    expect(all.filter((path) => !/^[a-z0-9]+([-_.][a-z0-9]+)*$/.test(path.split('/').at(-1)!))).toEqual([]);
    expect(all.filter((path) => /\b(utils?|helpers?|common|manager|misc)\b/.test(path))).toEqual([]);
  });
  it('the index is an index', () => {
    expect(entry.getStatements().length).toBeGreaterThan(0);
  });
});
