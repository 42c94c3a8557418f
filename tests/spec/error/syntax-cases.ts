/** Wrong texts and what must be said about them: code, line:column and the text that the main span covers (its first 24 characters). */
export interface SyntaxCase {
  readonly name: string;
  readonly text: string;
  readonly errors: readonly string[];
}

function inModel(name: string, body: string, ...errors: string[]): SyntaxCase {
  return { name, text: `model M {\n  ${body}\n}\n`, errors };
}

function inFile(name: string, text: string, ...errors: string[]): SyntaxCase {
  return { name, text: `${text}\n`, errors };
}

export const syntaxCases: readonly SyntaxCase[] = [
  // Characters, literals, brackets.
  inModel('a character of no token', 'x = a $ b', 'E0001 2:9 $'),
  inModel('a lookalike', 'x = a − b', 'E0001 2:9 −'),
  inModel('an arrow of another alphabet', 'weights { "a" → b.c }', 'E0001 2:17 →'),
  inModel('an open string', 'require x, "never closed', 'E0002 2:14 "never closed'),
  inModel('a number with letters', 'dim x = 3abc', 'E0005 2:11 3abc'),
  inModel('a parenthesis left open before the next statement', 'x = f(a,\n  dim y = 3', 'E0003 3:3 dim'),
  inModel('a parenthesis left open before an assignment', 'x = f(a\n  y = 3', 'E0003 3:3 y'),
  inModel('a bracket closed by another', 'x = [a, b)', 'E0006 2:12 )'),
  inModel('a bracket that closes nothing', 'x = a)', 'E0004 2:8 )'),
  inFile('a brace left open at the end', 'model M {\n  x = a', 'E0003 2:8'),
  inFile('a brace left open before the next item', 'model M {\n  x = a\n\nlayer f(x: [d]) -> [d] {\n  return x\n}', 'E0003 4:1 layer'),
  inFile('too many brackets', `const x = ${'('.repeat(70)}1${')'.repeat(70)}`, 'E0016 1:75 ('),
  inFile('too many errors', '$\n'.repeat(25), ...Array.from({ length: 20 }, (_, i) => `E0001 ${i + 1}:1 $`), 'E0025 21:1 $'),
  inFile('too long an operation', `const x = 1${' + 1'.repeat(600)}`, 'E0024 1:11 1 + 1 + 1 + 1 + 1 + 1 +'),
  // Statements and items.
  inModel('a misspelt keyword', 'dimm hidden = 3', 'E0011 2:3 dimm'),
  inModel('a misspelt keyword before a block', 'repaet layers[3] as i {\n    x = 1 +\n  }', 'E0011 2:3 repaet', 'E0010 3:12'),
  inModel('a keyword of another language', 'for i {\n    x = 1\n  }', 'E0011 2:3 for'),
  inModel('an expression as a statement', 'norm(x)', 'E0011 2:3 norm'),
  inModel('a number as a statement', '3 = x', 'E0010 2:3 3'),
  inModel('something behind a statement', 'x = a b', 'E0012 2:9 b'),
  inModel('a form of scan that there is not', 'x = scan (a) carry s : [d] = 0 {\n    emit s\n  } associative (b, c) {\n  }', 'E0012 4:5 associative'),
  inModel('a comment of another language', 'x = a // the sum', 'E0012 2:16 sum'),
  inFile('a statement outside', 'dim hidden = 3', 'E0022 1:1 dim'),
  inFile('a misspelt item', 'lyer f(x) -> [d] {\n}', 'E0011 1:1 lyer'),
  inFile('use after an item', 'const a = 1\nuse std.{rms}', 'E0023 2:1 use std.{rms}'),
  // Names and bindings.
  inModel('a reserved word as a name', 'dim match = 3', 'E0010 2:7 match'),
  inModel('a dim without a value', 'dim hidden', 'E0010 2:13'),
  inModel('a binding by the wrong symbol', 'def norm : rms(eps: 1)', 'E0010 2:12 :'),
  inModel('an equality for a binding', 'x == 3', 'E0011 2:3 x'),
  inModel('a split with commas', '[a, b] = x', 'E0010 2:5 ,'),
  inModel('a tuple of expressions as a target', '(a, b + c) = x', 'E0010 2:9 +'),
  // Expressions.
  inModel('a list that goes on', 'x = [a, b | c]', 'E0010 2:13 |'),
  inModel('an operator without its right side', 'x = a +\n  y = b', 'E0012 3:5 ='),
  inModel('two operators', 'x = a * / b', 'E0010 2:11 /'),
  inModel('a doubled bar', 'x = if a || b then c else d', 'E0010 2:12 |'),
  inModel('a conditional without else', 'x = if a then b', 'E0010 2:18'),
  inModel('a conditional without then', 'x = if a b else c', 'E0010 2:12 b'),
  inModel('a missing comma', 'x = f(a b)', 'E0010 2:11 b'),
  inModel('a position after a name', 'x = f(a: 1, b)', 'E0013 2:15 b'),
  inModel('a list that joins and lists', 'x = [a | b, c]', 'E0010 2:13 ,'),
  inModel('an empty index', 'x = a[]', 'E0010 2:9 ]'),
  inModel('empty parentheses', 'x = ()', 'E0010 2:8 )'),
  inModel('a match without arms', 'x = match a { }', 'E0014 2:7 match a { }'),
  inModel('an arm without an arrow', 'x = match a { b: c }', 'E0010 2:18 :'),
  inModel('attend without over', 'x = attend(q, k: k)', 'E0018 2:7 attend(q, k: k)'),
  inModel('attend with over twice', 'x = attend(q, over: a as k, over: b as k)', 'E0017 2:37 b as k'),
  inModel('attend with an option without a name', 'x = attend(q, over: a as k, k)', 'E0019 2:31 k'),
  inModel('route without over', 'x = route(a, ids, w) { f(a) }', 'E0010 2:24 {'),
  inModel('scan without carry', 'x = scan (a) { emit a }', 'E0010 2:16 {'),
  // Layers, parameters and types.
  inFile('a layer without a result', 'layer f(x: [d]) {\n}', 'E0010 1:17 {'),
  inFile('a parameter without a comma', 'layer f(x: [d] y: dim) -> [d] {\n}', 'E0010 1:16 y'),
  inFile('a misspelt type', 'fn f(x: itn) = x', 'E0020 1:9 itn'),
  inFile('rest not first', 'layer f(x: [a, ..]) -> [a] {\n}', 'E0015 1:16 ..'),
  inFile('an enum without values', 'fn f(x: enum {}) = x', 'E0010 1:15 }'),
  inModel('a param without axes', 'param w : f32', 'E0010 2:13 f32'),
  inModel('a clause given twice', 'param w : [d] frozen frozen', 'E0017 2:24 frozen'),
  inModel('an unknown policy', 'state kv : ring [d] = x', 'E0010 2:14 ring'),
  inModel('a window without its extent', 'state kv : window [d] = x', 'E0010 2:21 ['),
  inModel('an unknown element type', 'at f33 {\n    x = 1\n  }', 'E0021 2:6 f33'),
  // Sections.
  inModel('a rule without a target', 'weights {\n    "a" ->\n    "b" -> c\n  }', 'E0010 4:5 "b"'),
  inModel('a misspelt rule', 'weights {\n    ignre "a"\n    tap "a" <- b\n  }', 'E0010 3:5 ignre'),
  inModel('a tap in the wrong direction', 'weights {\n    tap "a" -> b\n  }', 'E0010 3:13 ->'),
  inModel('quantize without a format', 'quantize layers[*].w', 'E0010 2:23'),
  inModel('an entry without a value', 'precision { cache: }', 'E0010 2:22 }'),
  inModel('train without with', 'train muon(lr: 1)', 'E0010 2:9 muon'),
  inFile('a model without a body', 'model M', 'E0010 1:8'),
  inFile('an override of the wrong form', 'model M = N with { a: 3 }', 'E0010 1:21 :'),
  inFile('use without names', 'use std', 'E0010 1:8'),
  // Several.
  inModel('each statement for itself', 'dimm a = 1\n  x = f(\n  dim b = 2\n  y = a b\n  repeat l[3] a i {\n    z = 1 +\n  }', 'E0011 2:3 dimm', 'E0003 4:3 dim', 'E0012 5:9 b', 'E0010 6:15 a', 'E0010 7:12'),
];
