import type { Command } from 'commander';
import { example, withJson } from './options.js';

export function definePlan(program: Command): void {
  const command = program.command('plan').description('what can be done with a compiled plan');
  const verify = command.command('verify')
    .description('prove of a plan: nothing is read before it is written, nothing overlaps, memory stays within what it states')
    .argument('<dir>', 'folder that `firn compile` wrote');
  withJson(verify);
  example(verify, 'firn compile examples/k2-mini.firn --target cpu -o build/mini && firn plan verify build/mini')
    .action(async (folder: string, options: { json?: boolean }) => verifyFolder(folder, options));
}

async function verifyFolder(folder: string, options: { json?: boolean }): Promise<void> {
  const [{ readBundleFiles }, { verifyPlan, printViolations }, { Reported }, { formatBytes }] = await Promise.all([
    import('./bundle-files.js'), import('../compiler/plan/verify-plan.js'), import('./failure.js'), import('./terminal.js'),
  ]);
  const bundle = readBundleFiles(folder);
  const violations = verifyPlan(bundle);
  if (options.json) process.stdout.write(`${JSON.stringify({ plan: bundle.plan.hash, violations })}\n`);
  if (violations.length > 0) {
    if (!options.json) process.stderr.write(`${printViolations(violations)}\n`);
    throw new Reported();
  }
  const { plan } = bundle;
  if (!options.json) process.stdout.write(`${plan.model} for ${plan.target}: ${plan.entries.length} entries, ${plan.kernels.length} kernels, at most ${formatBytes(plan.peakBytes)} per rank; every law holds (${plan.hash.slice(0, 12)})\n`);
}
