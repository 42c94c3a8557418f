/** Takes out of a file what nothing refers to: names that only other variants of a family use. */
import type { File, Item, Statement } from '../../dsl/ast.js';

/** Keeps `root` and what it needs. */
export function trim(file: File, root: Item): File {
  const body = root.kind === 'model' ? trimBody(root.body) : [];
  const kept: Item = root.kind === 'model' ? { ...root, body } : root;
  const needed = new Set<Item>([kept]);
  let names = referredTo([...needed]);
  for (;;) {
    const more = file.items.filter((i) => i !== root && !needed.has(i) && names.has(i.name.name));
    if (more.length === 0) break;
    for (const item of more) needed.add(item);
    names = referredTo([...needed]);
  }
  const uses = file.uses.map((u) => ({ ...u, names: u.names.filter((n) => names.has(n.name)) })).filter((u) => u.names.length > 0);
  return { ...file, uses, items: file.items.flatMap((i) => (i === root ? [kept] : needed.has(i) ? [i] : [])) };
}

function trimBody(body: readonly Statement[]): readonly Statement[] {
  const names = referredTo(body);
  const out = body.filter((s) => !(s.kind === 'def' || s.kind === 'table' || (s.kind === 'const' && s.params.length === 0)) || names.has(s.name.name));
  return out.length === body.length ? out : trimBody(out);
}

/** Names that stand as expressions anywhere in the nodes. */
function referredTo(nodes: readonly unknown[]): Set<string> {
  const out = new Set<string>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    else if (typeof node === 'object' && node !== null) {
      if ('kind' in node && node.kind === 'name' && 'name' in node && typeof node.name === 'string') out.add(node.name);
      for (const [key, value] of Object.entries(node)) if (key !== 'span') visit(value);
    }
  };
  nodes.forEach(visit);
  return out;
}
