/**
 * Ranks that wait for each other: each runs its plan (one plan for all, or a file per host), and a collective goes on
 * only when every member of the team has come to the same one. What is proved is that all of them get to the end.
 */
import type { Entry, Plan, Step } from '../../ir/plan.js';
import type { Report } from './violation.js';

type Collective = Extract<Step, { kind: 'collective' }>;
interface Issued { readonly where: string; readonly step: Collective; /** What members must agree on. */ readonly terms: string }

/** Law `collective`, per entry. `plans[r]` is what rank r runs. */
export function checkRanks(plans: readonly Plan[], report: Report): void {
  const names = new Set(plans.flatMap((p) => p.entries.map((e) => e.name)));
  for (const name of names) {
    const entries = plans.map((p) => p.entries.find((e) => e.name === name));
    const lacking = entries.indexOf(undefined);
    if (lacking >= 0) report.add('collective', name, `rank ${lacking} has no such entry, others do`);
    else runTogether(name, plans, entries as Entry[], report);
  }
}

function runTogether(name: string, plans: readonly Plan[], entries: readonly Entry[], report: Report): void {
  const known = new Map<Entry, readonly Issued[]>();
  const issued = entries.map((e) => {
    const list = known.get(e) ?? issuedBy(e.steps, name, 'steps');
    known.set(e, list);
    return list;
  });
  const done = plans.map(() => 0);
  const next = (rank: number): Issued | undefined => issued[rank]?.[done[rank]];
  const teamOf = (rank: number): readonly number[] => teamFor(plans[rank], next(rank)!.step.group, rank);
  for (let moved = true; moved;) {
    moved = false;
    for (let rank = 0; rank < plans.length; rank++) {
      const mine = next(rank);
      if (!mine) continue;
      const team = teamOf(rank);
      const meet = team.includes(rank) && team.every((m) => next(m)?.terms === mine.terms && teamOf(m).join() === team.join());
      if (!meet) continue;
      for (const m of team) done[m]++;
      moved = true;
    }
  }
  const stuck = plans.findIndex((_, rank) => next(rank) !== undefined);
  if (stuck >= 0) report.add('collective', next(stuck)!.where, why(stuck, teamOf(stuck), next));
}

function teamFor(plan: Plan, group: string, rank: number): readonly number[] {
  return plan.groups.find((g) => g.name === group)?.teams.find((t) => t.includes(rank)) ?? [];
}

function why(rank: number, team: readonly number[], next: (rank: number) => Issued | undefined): string {
  const mine = next(rank)!;
  const other = team.find((m) => next(m)?.terms !== mine.terms);
  if (other === undefined) return `rank ${rank} waits in ${printed(mine)}: the members of its team do not agree on who is in it`;
  const theirs = next(other);
  return `rank ${rank} waits in ${printed(mine)} for rank ${other}, which ${theirs ? `waits in ${printed(theirs)}` : 'has ended'}`;
}

function printed({ step }: Issued): string {
  return `${step.op} over ${step.group} #${step.tag} of ${step.from.bytes} bytes of ${step.dtype}`;
}

/** The collectives of a run, repeats unrolled. */
function issuedBy(steps: readonly Step[], entry: string, path: string): readonly Issued[] {
  return steps.flatMap((step, i): readonly Issued[] => {
    const where = `${path}[${i}]`;
    if (step.kind === 'repeat') {
      const body = issuedBy(step.body, entry, `${where}.body`);
      return Array.from({ length: step.count }, () => body).flat();
    }
    if (step.kind !== 'collective') return [];
    const { op, group, tag, dtype, count, from, to } = step;
    return [{ where: `${entry}: ${where}`, step, terms: JSON.stringify([op, group, tag, dtype, count, from.bytes, to.bytes]) }];
  });
}
