// Puts the program into few files: loading some four hundred modules one by one takes longer than compiling a model.
//   dist/bundle/main.js (command line), dist/bundle/index.js (library), and what they share; dist/bundle/core.js (for pages)
//   dist/web/plots.js (what draws the plots of a page that `explore` writes)
import { build } from 'esbuild';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'dist', 'bundle');
/** Loaded from node_modules when a command needs them: native code, or large. */
const external = ['webgpu', 'ts-morph', 'node-addon-api', 'node-api-headers', 'playwright-core'];

rmSync(folder, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root, entryPoints: { main: 'cli/main.ts', index: 'index.ts' }, outdir: folder, metafile: true,
  bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', external, legalComments: 'none', logLevel: 'warning',
  // CommonJS packages ask for Node's own modules through it.
  banner: { js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);" },
});
// Without Node's modules: a page's bundler takes it as it is.
const core = await build({
  absWorkingDir: root, entryPoints: { core: 'core.ts' }, outdir: folder, metafile: true,
  bundle: true, format: 'esm', platform: 'browser', target: 'es2022', legalComments: 'none', logLevel: 'warning',
});
const plots = await build({
  absWorkingDir: root, entryPoints: { plots: 'web/plots.ts' }, outdir: join(root, 'dist', 'web'), tsconfig: join(root, 'web', 'tsconfig.json'), metafile: true,
  bundle: true, minify: true, format: 'iife', platform: 'browser', target: 'es2022', legalComments: 'none', logLevel: 'warning',
});

/** Packages that the bundle holds; their licences travel with it. */
const packages = new Set(Object.keys({ ...metafile.inputs, ...core.metafile.inputs, ...plots.metafile.inputs }).flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
const licences = [...packages].sort().map((name) => {
  const at = join(root, 'node_modules', name);
  const file = readdirSync(at).find((f) => /^licen[cs]e/i.test(f));
  const { version, license } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  return `${name} ${version} (${license})\n\n${file === undefined || !existsSync(join(at, file)) ? '' : readFileSync(join(at, file), 'utf8').trim()}\n`;
});
writeFileSync(join(folder, 'LICENCES.txt'), licences.join(`\n${'-'.repeat(80)}\n\n`));
