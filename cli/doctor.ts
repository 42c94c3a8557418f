import type { Command } from 'commander';
import { example, withJson } from './options.js';

export function defineDoctor(program: Command): void {
  const command = program.command('doctor').description('what this machine offers, what is missing, and the command that installs it');
  withJson(command);
  example(command, 'firn doctor').action(async (options: { json?: boolean }) => diagnose(options));
}

async function diagnose(options: { json?: boolean }): Promise<void> {
  const [{ examine }, { color, formatTable }] = await Promise.all([import('./doctor-checks.js'), import('./terminal.js')]);
  const findings = await examine();
  if (options.json) {
    process.stdout.write(`${JSON.stringify(findings)}\n`);
    return;
  }
  const mark = { ok: color('green', 'ok'), limited: color('yellow', 'limited'), missing: color('red', 'missing') };
  for (const f of findings) {
    process.stdout.write(`${formatTable([[f.what.padEnd(14), f.found]])}${f.status === 'ok' ? '' : `  (${mark[f.status]})`}\n`);
    if (f.status !== 'ok') process.stdout.write(`${' '.repeat(16)}without it: ${f.without}\n`);
    if (f.fix !== undefined) process.stdout.write(`${' '.repeat(16)}fix: ${f.fix}\n`);
  }
}
