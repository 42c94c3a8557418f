/**
 * Proves a plan right, whoever wrote it: shares nothing with the planner but the types and the digest. The laws are in
 * docs/plan-format.md; in short, what is declared is consistent, every region lies where it may in every iteration, and
 * every read finds the tensor it names, whole and as last written.
 */
import { planVersion, type Bundle, type Plan } from '../ir/plan.js';
import { planHash } from './plan-hash.js';
import { checkBuffers, checkDims, checkGroups, checkKernels, checkTables, countsRanks } from './verify/declarations.js';
import { EntryRun } from './verify/entry-run.js';
import { checkRanks } from './verify/ranks.js';
import { Report, type Violation } from './verify/violation.js';

export type { Law, Violation } from './verify/violation.js';

/**
 * All broken laws, in the order of the plan; empty if the plan is right. Time grows with steps times iterations.
 * `digests: false` for a bundle whose hashes were taken a moment ago in the same process: taking them again is most of the work.
 */
export function verifyPlan(bundle: Bundle, { digests = true }: { readonly digests?: boolean } = {}): readonly Violation[] {
  const { plan } = bundle;
  const report = new Report();
  if (plan.version !== planVersion) {
    report.add('version', 'version', `the plan has version ${String(plan.version)}, this verifier knows ${planVersion}`);
    return report.violations;
  }
  if (digests && planHash(plan) !== plan.hash) report.add('hash', 'hash', 'the plan was changed after its hash was taken');
  checkDims(plan, report);
  checkGroups(plan, report);
  checkBuffers(plan, report);
  checkKernels(bundle, digests, report);
  const tables = { rows: checkTables(plan, report), used: new Set<object>() };
  const names = plan.entries.map((e) => e.name);
  plan.entries.forEach((entry, i) => {
    if (names.indexOf(entry.name) !== i) report.add('ports', `entry '${entry.name}'`, 'is declared twice');
    new EntryRun(bundle, entry, tables, report).run();
  });
  if (countsRanks(plan)) checkRanks(Array.from({ length: plan.ranks }, () => plan), report);
  for (const rows of tables.rows.values()) for (const row of rows) {
    if (!tables.used.has(row)) report.add('unused', `${row.kind} '${row.path}' at ${row.from}`, 'no step uses it');
  }
  return report.violations;
}

/** Whether ranks that each run a plan of their own get to the end together; `plans[r]` is rank r's. */
export function verifyRanks(plans: readonly Plan[]): readonly Violation[] {
  const report = new Report();
  if (plans.some((p) => p.ranks !== plans.length)) report.add('groups', 'ranks', `${plans.length} plans, made for ${plans.map((p) => p.ranks).join(', ')} ranks`);
  else checkRanks(plans, report);
  return report.violations;
}

/** `law at where: message`, one line each. */
export function printViolations(violations: readonly Violation[]): string {
  return violations.map((v) => `${v.law} at ${v.where}: ${v.message}`).join('\n');
}
