/**
 * AST to text in the canonical style: the exact inverse of the parser. Two blanks per level, lines of at most 120
 * columns, bracketed lists filled and lined up behind their bracket, comments and single blank lines kept.
 */
import type { File, Item, Use } from './ast.js';
import { align, comment, concat, fill, group, hardline, join, line, nest, render, type Doc } from './pretty.js';
import { printBraces, printExpr, quote, withTrivia } from './print-expressions.js';
import { printBlock } from './print-statements.js';
import { printParameters, printResults } from './print-types.js';

export function print(file: File): string {
  const nodes = [...file.uses.map((u) => withTrivia(u, printUse(u))), ...file.items.map(printItem)];
  const lines = [...nodes, ...file.trailing.map(comment)];
  return lines.length === 0 ? '' : `${render(join(lines, hardline))}\n`;
}

function printUse(u: Use): Doc {
  const module = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(u.module) && !u.module.endsWith('.firn') ? u.module : quote(u.module);
  return concat(`use ${module}.{`, align(fill(u.names.map((n) => n.name))), '}');
}

function printItem(item: Item): Doc {
  switch (item.kind) {
    case 'model':
      return withTrivia({ leading: item.leading }, concat(`model ${item.name.name} `, printModel(item)));
    case 'layer':
      return withTrivia({ leading: item.leading }, concat(
        `layer ${item.name.name}`, printParameters(item.params), ' -> ', printResults(item.results), ' ', printBlock(item.body, item),
      ));
    case 'fn':
      return withTrivia(item, concat(`fn ${item.name.name}`, printParameters(item.params), ' =', printBody(item)));
    case 'const-item':
      return withTrivia(item, concat(`const ${item.name.name} = `, printExpr(item.value)));
  }
}

function printModel(model: Item & { kind: 'model' }): Doc {
  if (!model.base) return printBlock(model.body, model);
  const overrides = printBraces(model.base.overrides, (o) => {
    const doc = concat(`${o.name.name} = `, printExpr(o.value));
    return { broken: doc, flat: doc };
  }, model);
  return concat(`= ${model.base.name.name} with `, overrides);
}

/** On the next line when it does not fit behind the `=`; a body with braces opens them there. */
function printBody({ body }: Item & { kind: 'fn' }): Doc {
  if (body.kind === 'match' || body.kind === 'scan' || body.kind === 'route') return concat(' ', printExpr(body));
  return group(nest(line, printExpr(body)));
}
