import type { Command } from 'commander';

interface Options { output?: string; rules?: string[] }

export function defineImport(program: Command): void {
  program.command('import')
    .description('write a spec for a published checkpoint, from its config.json')
    .argument('<hf_dir>', 'folder with config.json, as downloaded')
    .option('-o, --output <file>', 'where to write the spec (standard output if not given)')
    .option('--rules <file...>', 'import rules of families of your own, tried before those of the standard library')
    .addHelpText('after', '\nExample:\n  firn import ./Mixtral-8x7B-v0.1 -o mixtral.firn')
    .action(async (folder: string, options: Options) => importFolder(folder, options));
}

async function importFolder(folder: string, options: Options): Promise<void> {
  const [{ existsSync }, { join }, { importHf }, { nodeLoader, standardFamilies }, { report, reported }, { writeFileAtomically }, { readSpec }, { readTextFile }, { checkSpec }, { CommandError }] = await Promise.all([
    import('node:fs'), import('node:path'), import('../compiler/import/hf.js'), import('../dsl/std-node.js'), import('./report.js'), import('../runtime/atomic-file.js'),
    import('./spec.js'), import('../dsl/text-node.js'), import('../index.js'), import('./failure.js'),
  ]);
  const source = (name: string): { path: string; text: string } => ({ path: join(folder, name), text: readTextFile(join(folder, name)) });
  const config = source('config.json');
  const generation = existsSync(join(folder, 'generation_config.json')) ? source('generation_config.json') : undefined;
  const rules = [...(options.rules ?? []).map(readSpec), ...standardFamilies()];
  const { text, diagnostics } = importHf({ config, ...(generation === undefined ? {} : { generation }), rules });
  report(diagnostics, [config, ...(generation === undefined ? [] : [generation]), ...rules]);
  // Numbers that are none of a model (no heads, more experts chosen than there are) are told here, not when it is used.
  const entry = { path: options.output ?? 'imported.firn', text: text! };
  const checked = checkSpec({ entry, load: nodeLoader });
  if (!reported(checked.diagnostics, [...checked.files.values()])) {
    throw new CommandError('C13', `the spec that ${config.path} leads to is no model, so nothing is written`, 'correct the number in the configuration that the errors above are about');
  }
  if (options.output === undefined) process.stdout.write(text!);
  else {
    await writeFileAtomically(options.output, text!);
    process.stderr.write(`wrote ${options.output}\n`);
  }
}
