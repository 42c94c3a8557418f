/**
 * Decides which values get memory and which kernels compute them; everything else is computed where it is used.
 *
 *   before  %3 = contract %w, %x   %4 = map sigmoid %3   %5 = map add %4, %b   %6 = top %5
 *   after   kernel contract { %4 }      %4 is stored: the contraction with its epilogue
 *           kernel rows { %6 }          %5 is computed inside it
 *
 * Needs: one graph level of a verified module. Gives: units in an order that respects dependencies; every element of a
 * contraction with a parameter is computed exactly once. With `fuse: false` every op is a kernel of its own, for finding
 * out whether fusion is at fault: only what is as large as tokens times entries is still computed where it is used.
 */
import type { Node, ValueId } from '../ir/graph.js';
import { axisNames, typeOf, type GraphIndex } from '../ir/graph-index.js';
import { attendOperands } from '../ir/ops-state.js';
import { extentOf, isHeavy, isMemory, isParameter, isStreamed, isView, repeatsWork, sources } from './fuse-rules.js';

export interface FusePolicy {
  readonly fuse: boolean;
  /** What feeds a contraction (a norm, say): computed again by each program, or stored once. */
  readonly prologue: 'recompute' | 'store';
  /** Contractions that select: each token's choices one by one, or expert by expert over lists of rows. */
  readonly select: 'direct' | 'grouped';
  /** A map of each head's attention result: in the attention's own kernel (read per token), or in one that tokens share. */
  readonly afterAttend: 'together' | 'apart';
}

/** Values one kernel stores, and the stored values it reads. */
interface UnitBase { readonly roots: readonly ValueId[]; readonly needs: ReadonlySet<ValueId> }
export type KernelUnit =
  | (UnitBase & { readonly form: 'rows' | 'contract' | 'attend' | 'scan' | 'window' | 'select_keys' })
  | (UnitBase & { readonly form: 'grouped'; readonly ids: ValueId; readonly experts: number });
export type FusedUnit =
  | KernelUnit
  | (UnitBase & { readonly form: 'repeat'; readonly node: Node & { op: 'repeat' } })
  | (UnitBase & { readonly form: 'collective'; readonly node: Node });

const collectives: ReadonlySet<Node['op']> = new Set(['all_reduce', 'all_gather', 'reduce_scatter']);

export function fuse(index: GraphIndex, policy: FusePolicy): { readonly units: readonly FusedUnit[]; readonly stored: ReadonlySet<ValueId> } {
  const stored = mustBeStored(index);
  if (!policy.fuse) return { units: formUnits(index, storeAll(index, stored), policy), stored };
  const heavy = index.graph.nodes.filter((n) => isHeavy(index, n));
  for (const node of heavy) stored.add(chainEnd(index, stored, node, policy));
  for (const node of heavy) storeSides(index, stored, node, policy);
  for (const node of index.graph.nodes) if (node.op === 'select_keys') storeQuerySides(index, stored, node);
  return { units: formUnits(index, stored, policy), stored };
}

/** Outputs, what repeats and collectives exchange, and results that several kernels read by place. */
function mustBeStored(index: GraphIndex): Set<ValueId> {
  const stored = new Set<ValueId>(index.outputs);
  for (const node of index.graph.nodes) {
    const all = [...node.operands, ...node.results.map((r) => r.id)];
    if (node.op === 'repeat' || node.op === 'scan' || node.op === 'window' || collectives.has(node.op)) for (const v of all) stored.add(v);
    if (node.op === 'nucleus') for (const v of [node.operands[1], node.results[0].id]) stored.add(v);
    if (node.op === 'top' || node.op === 'select_keys' || node.op === 'state_write' || node.op === 'scatter') stored.add(node.results[0].id);
    if (node.op === 'attend') for (const { picks } of attendOperands(node, node.operands).sources) if (picks !== undefined) stored.add(picks);
    if (node.op === 'contract' && node.select) stored.add(node.operands[2]);
  }
  return stored;
}

/** Every value that is neither memory already nor too large for it. */
function storeAll(index: GraphIndex, stored: Set<ValueId>): Set<ValueId> {
  for (const node of index.graph.nodes) {
    if (sources.has(node.op) || isStreamed(node)) continue;
    for (const { id } of node.results) if (!isMemory(index, id)) stored.add(id);
  }
  return stored;
}

/**
 * The last value that the contraction's kernel can go on to compute on its own: elementwise, each element once. Where a
 * value has several users the chain goes on if they meet again, as in silu(g) * u.
 */
function chainEnd(index: GraphIndex, stored: ReadonlySet<ValueId>, heavy: Node, policy: FusePolicy): ValueId {
  if (heavy.results.length > 1) return heavy.results[0].id;
  let end = heavy.results[0].id;
  let sums = heavy.op === 'contract' && heavy.select !== undefined && policy.select === 'direct';
  let open = new Map<ValueId, readonly Node[]>([[end, index.consumers.get(end) ?? []]]);
  for (;;) {
    if (open.size === 1) [end] = open.keys();
    if ([...open.keys()].some((v) => stored.has(v)) || [...open.values()].some((users) => users.length === 0)) return end;
    const [value, [user]] = [...open].reduce((a, b) => (index.position.get(b[1][0])! < index.position.get(a[1][0])! ? b : a));
    if (!continues(index, user, value, sums && open.size === 1) && !mapsHeads(index, heavy, user, value, policy)) return end;
    if (user.op === 'contract') sums = false;
    const result = user.results[0].id;
    if (user.op === 'state_write') return open.size === 1 && open.get(value)!.length === 1 ? result : end;
    open = new Map([...open].map(([v, users]) => [v, users.filter((u) => u !== user)] as const).filter(([, users]) => users.length > 0));
    open.set(result, index.consumers.get(result) ?? []);
  }
}

/** A contraction of the attention's own value axes with a parameter: each head's result is then needed only there. */
function mapsHeads(index: GraphIndex, heavy: Node, user: Node, value: ValueId, policy: FusePolicy): boolean {
  if (heavy.op !== 'attend' || policy.afterAttend === 'apart' || user.op !== 'contract' || user.select) return false;
  const other = user.operands[0] === value ? user.operands[1] : user.operands[0];
  const heads = new Set([heavy.operands[0], ...heavy.keys.map((_, i) => heavy.operands[4 + 2 * i])].flatMap((v) => axisNames(typeOf(index, v))));
  return isParameter(index, other) && user.over.every((a) => !heads.has(a) || heavy.over.includes(a));
}

function continues(index: GraphIndex, user: Node, value: ValueId, sumsChoices: boolean): boolean {
  switch (user.op) {
    case 'map': return user.results[0].type.axes.length === typeOf(index, value).axes.length;
    case 'cast': case 'rename': case 'split': case 'merge': case 'slice': case 'concat': case 'stop_gradient': return true;
    case 'state_write': return user.operands[2] === value;
    case 'contract': return sumsChoices && !isHeavy(index, user) && user.over.length === 1;
    default: return false;
  }
}

/** What a heavy kernel needs besides: stored if computing it inside would repeat more than a few operations. */
function storeSides(index: GraphIndex, stored: Set<ValueId>, heavy: Node, policy: FusePolicy): void {
  if (heavy.op === 'attend') {
    if (!isView(index, stored, heavy.operands[0])) stored.add(heavy.operands[0]);
  } else if (policy.prologue === 'store') {
    for (const v of heavy.operands.slice(0, 2)) if (!isParameter(index, v) && !isView(index, stored, v)) stored.add(v);
  }
  const chain = new Set<ValueId>([heavy.results[0].id]);
  for (const value of chain) {
    if (stored.has(value)) continue;
    for (const user of index.consumers.get(value) ?? []) chain.add(user.results[0].id);
  }
  for (const value of chain) {
    const node = index.producer.get(value)!;
    if (node === heavy) continue;
    for (const side of node.operands) if (!chain.has(side) && repeatsWork(index, stored, side)) stored.add(side);
  }
}

/** Scores are computed entry by entry: what they read of the query alone is stored, or each entry would compute it again. */
function storeQuerySides(index: GraphIndex, stored: Set<ValueId>, node: Node & { op: 'select_keys' }): void {
  const seen = new Set<ValueId>();
  const visit = (value: ValueId): void => {
    if (seen.has(value) || stored.has(value) || isView(index, stored, value)) return;
    seen.add(value);
    if (!axisNames(typeOf(index, value)).includes(node.keys)) stored.add(value);
    else index.producer.get(value)!.operands.forEach(visit);
  };
  [node.operands[0], ...node.operands.slice(4)].forEach(visit);
}

function formUnits(index: GraphIndex, stored: ReadonlySet<ValueId>, policy: FusePolicy): FusedUnit[] {
  const units: FusedUnit[] = [];
  const unitOf = new Map<ValueId, number>();
  const place = (unit: FusedUnit): void => {
    units.push(unit);
    for (const root of unit.roots) unitOf.set(root, units.length - 1);
  };
  for (const node of index.graph.nodes) {
    if (sources.has(node.op)) continue;
    const roots = node.results.map((r) => r.id).filter((r) => stored.has(r));
    const needs = storedOperands(index, node.operands);
    if (node.op === 'repeat') place({ form: 'repeat', node, roots, needs });
    else if (collectives.has(node.op)) place({ form: 'collective', node, roots, needs });
    else if (node.op === 'scan' || node.op === 'window') place({ form: node.op, roots, needs });
    else if (node.op === 'select_keys') place({ form: node.op, roots, needs: new Set(roots.flatMap((r) => [...unitFor(index, stored, r, policy).needs])) });
    else for (const root of roots) {
      const unit = unitFor(index, stored, root, policy);
      const host = unit.form === 'rows' && policy.fuse ? rowsHost(index, units, unitOf, unit) : -1;
      if (host < 0) place(unit);
      else {
        units[host] = joined(units[host], unit, root);
        unitOf.set(root, host);
      }
    }
  }
  return units;
}

function joined(host: FusedUnit, unit: FusedUnit, root: ValueId): FusedUnit {
  const needs = new Set([...host.needs, ...unit.needs].filter((v) => !host.roots.includes(v)));
  return { form: 'rows', roots: [...host.roots, root], needs };
}

function storedOperands(index: GraphIndex, operands: readonly ValueId[]): Set<ValueId> {
  return new Set(operands.filter((v) => { const n = index.producer.get(v); return n !== undefined && !sources.has(n.op); }));
}

/** The kernel for one stored value: what it reads, and its form by the heavy nodes computed on the way. */
function unitFor(index: GraphIndex, stored: ReadonlySet<ValueId>, root: ValueId, policy: FusePolicy): FusedUnit {
  const needs = new Set<ValueId>();
  const heavies: Node[] = [];
  const seen = new Set<ValueId>();
  const visit = (value: ValueId): void => {
    if (seen.has(value)) return;
    seen.add(value);
    const node = index.producer.get(value);
    if (!node || sources.has(node.op)) return;
    if (value !== root && stored.has(value)) return void needs.add(value);
    if (isHeavy(index, node)) heavies.push(node);
    node.operands.forEach(visit);
  };
  visit(root);
  const selecting = heavies.find((n): n is Node & { op: 'contract' } => n.op === 'contract' && n.select !== undefined);
  if (selecting && policy.select === 'grouped') {
    return { form: 'grouped', roots: [root], needs, ids: selecting.operands[2], experts: extentOf(index, selecting, selecting.select!.axis) };
  }
  if (heavies.some((n) => n.op === 'attend')) return { form: 'attend', roots: [root], needs };
  return { form: heavies.length > 0 ? 'contract' : 'rows', roots: [root], needs };
}

/** The last rows unit that runs when everything `unit` needs is there and walks the same dynamic axis; -1 if none. */
function rowsHost(index: GraphIndex, units: readonly FusedUnit[], unitOf: ReadonlyMap<ValueId, number>, unit: FusedUnit): number {
  const after = Math.max(0, ...[...unit.needs].map((v) => unitOf.get(v) ?? 0));
  for (let i = units.length - 1; i >= after; i--) {
    if (units[i].form === 'rows' && walked(index, units[i].roots[0]) === walked(index, unit.roots[0])) return i;
  }
  return -1;
}

function walked(index: GraphIndex, root: ValueId): string {
  const node = index.producer.get(root);
  const type = node?.op === 'state_write' ? typeOf(index, node.operands[2]) : typeOf(index, root);
  return type.axes.filter((a) => typeof a.size !== 'number').map((a) => a.name).join(' ');
}
