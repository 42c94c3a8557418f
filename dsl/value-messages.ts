/** The catalogue: names and values of a spec, E02xx. */
import type { Diagnostic } from './diagnostics.js';
import { axisText, derivation, quoted, type DimOrigin, type NamedAxis } from './derivation.js';
import { instead, insteadOfOption } from './instead.js';
import { didYouMean, error, replaceBy } from './messages.js';
import { refusalOf } from './refusals.js';
import type { Span } from './span.js';

/** `module`: the module of the standard library that has the name. */
export function unknownName(name: string, suggestions: readonly string[], module: string | undefined, span: Span): Diagnostic {
  const other = instead(name);
  if (module !== undefined) return error('E0201', `nothing here is called \`${name}\``, span, { notes: [{ text: `\`${name}\` is in the standard library: use ${module}.{${name}}` }] });
  if (other !== undefined) return error('E0201', `nothing here is called \`${name}\``, span, { notes: [{ text: other }] });
  return error('E0201', `nothing here is called \`${name}\``, span, {
    notes: [...didYouMean(suggestions), { text: 'a layer sees its parameters, what its body binds, and its file; never the names of the model that uses it' }],
    fix: replaceBy(suggestions, span),
  });
}

const noneYet = { text: 'a value carried from `none` must be assigned by an earlier iteration: `first = if i == 0 then x else first`' };

export function wrongOperand(fn: string, found: string, span: Span): Diagnostic {
  return error('E0202', `\`${fn}\` is not defined on ${found}`, span, found === 'none' ? { notes: [noneYet] } : {});
}

export function divisionByZero(span: Span): Diagnostic {
  return error('E0203', 'this divides by zero', span);
}

export function notACondition(found: string, span: Span): Diagnostic {
  return error('E0204', `a condition must be true or false when the model is compiled, this is ${found}`, span);
}

export function noMatchingArm(subject: string, span: Span): Diagnostic {
  return error('E0205', `no arm of this \`match\` fits ${subject}`, span, { notes: [{ text: 'add an arm for it, or `_ => ..` for everything else' }] });
}

/** `hides`: the builtin function that would have been called, had something else not its name. */
export function notCallable(found: string, hides: string | undefined, span: Span): Diagnostic {
  const notes = hides === undefined ? [] : [{ text: `what is called \`${hides}\` here hides the function of that name: call it something else` }];
  return error('E0206', `${found} cannot be called`, span, { notes: [{ text: 'layers and functions can' }, ...notes] });
}

export function tooDeepCalls(callee: string, span: Span): Diagnostic {
  return error('E0207', `calls are nested more than 64 deep at ${callee}`, span, { notes: [{ text: 'layers and functions cannot call themselves' }] });
}

export function tooMuchWork(span: Span): Diagnostic {
  return error('E0235', 'this spec asks for more work than any model needs', span, { notes: [{ text: 'functions that call others twice double the work with every level; lists, tables and repeats have thousands of places, not millions' }] });
}

export function tooManyArguments(owner: string, parameters: readonly string[], span: Span): Diagnostic {
  return error('E0208', `\`${owner}\` takes no further argument`, span, { notes: [{ text: `its parameters: ${quoted(parameters)}` }] });
}

export function unknownArgument(owner: string, name: string, suggestions: readonly string[], parameters: readonly string[], span: Span): Diagnostic {
  return error('E0209', `\`${owner}\` has no parameter \`${name}\``, span, {
    notes: [...didYouMean(suggestions), { text: `its parameters: ${quoted(parameters)}` }], fix: replaceBy(suggestions, span),
  });
}

export function unknownAttendOption(name: string, suggestions: readonly string[], options: readonly string[], span: Span): Diagnostic {
  const other = insteadOfOption(name);
  return other === undefined ? unknownArgument('attend', name, suggestions, options, span)
    : error('E0209', `\`attend\` has no parameter \`${name}\``, span, { notes: [{ text: other }] });
}

export function argumentTwice(owner: string, name: string, span: Span, first: Span): Diagnostic {
  return error('E0210', `\`${name}\` of \`${owner}\` is given twice`, span, { notes: first === span ? [] : [{ span: first, text: 'given here already' }] });
}

export function missingArguments(owner: string, names: readonly string[], span: Span, declared?: Span): Diagnostic {
  return error('E0211', `\`${owner}\` needs ${quoted(names)}`, span, {
    label: `without ${quoted(names)}`, notes: declared === undefined ? [] : [{ span: declared, text: 'declared here' }],
  });
}

export function wrongArgument(name: string, wanted: string, found: string, span: Span): Diagnostic {
  return error('E0212', `\`${name}\` must be ${wanted}, this is ${found}`, span);
}

export function noneNotAllowed(name: string, span: Span, declared: Span): Diagnostic {
  return error('E0213', `\`${name}\` cannot be none`, span, { notes: [{ span: declared, text: 'a type with `?` would allow it' }] });
}

export function notInEnum(name: string, found: string, values: readonly string[], suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0214', `\`${name}\` is one of ${quoted(values)}, not \`${found}\``, span, { notes: didYouMean(suggestions), fix: replaceBy(suggestions, span) });
}

export function notATensor(what: string, found: string, span: Span): Diagnostic {
  return error('E0215', `${what} must be a tensor, this is ${found}`, span, found === 'none' ? { notes: [noneYet] } : {});
}

export function vectorWithoutAxis(length: number, span: Span): Diagnostic {
  return error('E0216', `a list of ${length} numbers lies on no axis, so it cannot meet a tensor`, span, { notes: [{ text: 'say which: tensor(list, axis: a)' }] });
}

export function vectorLengths(a: number, b: number, span: Span): Diagnostic {
  return error('E0217', `lists of ${a} and ${b} numbers do not go together`, span);
}

export function notConstant(name: string, found: string, span: Span): Diagnostic {
  return error('E0218', `the const \`${name}\` must be known when the model is compiled, this is ${found}`, span, { notes: [{ text: `write \`${name} = ..\` for a value of the model` }] });
}

export function constType(name: string, found: string, span: Span): Diagnostic {
  return error('E0219', `a type here says on which one axis the list \`${name}\` lies; its value is ${found}`, span);
}

export function constLength(name: string, length: number, axis: NamedAxis, span: Span): Diagnostic {
  return error('E0220', `\`${name}\` has ${length} numbers, the axis is ${axisText(axis)}`, span, { notes: derivation([axis.origin]) });
}

export function tableLength(name: string, extent: number, found: number, span: Span): Diagnostic {
  return error('E0221', `the table \`${name}\` has ${extent} entries, ${found} are given`, span, { notes: [{ text: 'cycle([..]) repeats a shorter list' }] });
}

export function notAnIndex(found: string, span: Span): Diagnostic {
  return error('E0222', `a list is indexed by a number that is known when the model is compiled, this is ${found}`, span);
}

export function indexOutsideList(index: number, length: number, span: Span): Diagnostic {
  return error('E0223', `index ${index} of a list of ${length}`, span, { notes: [{ text: `indices run from 0 to ${length - 1}` }] });
}

export function tupleCount(names: number, found: string, span: Span): Diagnostic {
  return error('E0225', `${names} names for ${found}`, span);
}

export function nothingToAdd(name: string, span: Span): Diagnostic {
  const refusal = refusalOf(name);
  return error('E0226', `\`${name} += ..\` adds to \`${name}\`, which has no value yet`, span, refusal === undefined ? {} : { notes: [{ text: refusal }] });
}

export function indexedAssignment(name: string, span: Span): Diagnostic {
  return error('E0227', `\`${name}[..] = ..\` labels the body of a \`route\`; here is none`, span);
}

export function requirement(message: string | undefined, from: readonly DimOrigin[], instance: { readonly name: string; readonly span: Span }, span: Span): Diagnostic {
  return error('E0228', message ?? 'a requirement does not hold', span, {
    notes: [{ span: instance.span, text: `required by this use of ${instance.name}` }, ...derivation(from)],
  });
}

export function memberOfExpression(span: Span): Diagnostic {
  return error('E0229', 'only an instance has members: label.parameter', span);
}

export function unknownMember(owner: string, name: string, suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0230', owner === '' ? `no instance is labelled \`${name}\` here` : `\`${owner}\` has no parameter or instance \`${name}\``, span, {
    notes: didYouMean(suggestions), fix: undefined,
  });
}

export function memberOfTensor(path: string, span: Span): Diagnostic {
  return error('E0231', `\`${path}\` is a parameter and has no members`, span);
}

export function instanceAsValue(path: string, members: readonly string[], span: Span): Diagnostic {
  return error('E0232', `\`${path}\` is an instance, not a value`, span, { notes: members.length === 0 ? [] : [{ text: `it has ${quoted(members)}` }] });
}

export function extremumArguments(fn: string, span: Span): Diagnostic {
  return error('E0233', `write ${fn}(a, b) for the ${fn === 'max' ? 'larger' : 'smaller'} of two, ${fn}(x, over: axis) along an axis`, span);
}

export function neverEqual(symbol: string, other: string, span: Span): Diagnostic {
  return error('E0234', `${symbol} never equals ${other}`, span, { notes: [{ text: 'a name that something here declares stands for that, not for a value of an enum' }] });
}
