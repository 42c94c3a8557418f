/** Types of parameters and results to documents. */
import type { Parameter, ResultType, TensorTypeExpr, Type } from './ast.js';
import { align, concat, fill, join, unbroken, type Doc } from './pretty.js';
import { printExpr, printItems } from './print-expressions.js';

export function printTensorType(t: TensorTypeExpr): Doc {
  const axes = [...(t.rest ? ['..'] : []), ...t.axes.map(printExpr)];
  return concat('[', align(fill(axes)), ']', t.dtype ? ` ${t.dtype.name}` : '', t.optional ? '?' : '');
}

export function printType(t: Type): Doc {
  switch (t.kind) {
    case 'tensor-type':
      return printTensorType(t);
    case 'simple-type':
      return t.name + (t.optional ? '?' : '');
    case 'enum-type':
      return concat('enum { ', align(fill(t.values.map((v) => v.name))), ' }', t.optional ? '?' : '');
  }
}

export function printParameters(params: readonly Parameter[]): Doc {
  return printItems(params, (p) => concat(p.name.name, p.type ? ': ' : '', p.type ? printType(p.type) : '', p.default ? ' = ' : '', p.default ? printExpr(p.default) : ''));
}

/** Never broken, so that a long header breaks among its parameters. */
export function printResults(results: readonly ResultType[]): Doc {
  const docs = results.map((r) => concat(r.name ? `${r.name.name}: ` : '', printType(r.type)));
  return unbroken(results.length === 1 && results[0].name === undefined ? docs[0] : concat('(', join(docs, ', '), ')'));
}
