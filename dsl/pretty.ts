/**
 * A small document algebra for printing within a line width (Wadler 1998, with `fill` after Prettier and `align` after
 * Leijen). A group is printed on one line when it and what must follow it fit, else each of its lines is broken.
 */
export type Doc =
  | string
  | { readonly kind: 'concat'; readonly parts: readonly Doc[] }
  /** `flat` when the group is on one line, else a newline. A hard line is always a newline. */
  | { readonly kind: 'line'; readonly flat: string; readonly hard: boolean }
  | { readonly kind: 'nest'; readonly doc: Doc }
  /** Lines inside start in the column where the document starts. */
  | { readonly kind: 'align'; readonly doc: Doc }
  /** With a limit, at most so many columns stay on one line. */
  | { readonly kind: 'group'; readonly doc: Doc; readonly limit?: number }
  /** As many items on each line as fit. */
  | { readonly kind: 'fill'; readonly items: readonly Doc[] }
  | { readonly kind: 'choice'; readonly broken: Doc; readonly flat: Doc }
  /** On one line, whatever its width. */
  | { readonly kind: 'unbroken'; readonly doc: Doc }
  /** Does not count towards the width. */
  | { readonly kind: 'comment'; readonly text: string };

const pageWidth = 120;
const nesting = 2;
/** Behind this column `align` would leave too little room: it nests twice instead. */
const lastAlignment = 72;

export const line: Doc = { kind: 'line', flat: ' ', hard: false };
/** Two blanks on one line, between entries that have no other separator. */
export const wideLine: Doc = { kind: 'line', flat: '  ', hard: false };
export const hardline: Doc = { kind: 'line', flat: '', hard: true };
export const concat = (...parts: readonly Doc[]): Doc => ({ kind: 'concat', parts });
export const nest = (...parts: readonly Doc[]): Doc => ({ kind: 'nest', doc: concat(...parts) });
export const align = (...parts: readonly Doc[]): Doc => ({ kind: 'align', doc: concat(...parts) });
export const group = (...parts: readonly Doc[]): Doc => ({ kind: 'group', doc: concat(...parts) });
export const limitedGroup = (limit: number, ...parts: readonly Doc[]): Doc => ({ kind: 'group', doc: concat(...parts), limit });
export const choice = (broken: Doc, flat: Doc): Doc => ({ kind: 'choice', broken, flat });
export const unbroken = (doc: Doc): Doc => ({ kind: 'unbroken', doc });
export const comment = (text: string): Doc => ({ kind: 'comment', text });

/** Items with `separator` behind all but the last, filled. */
export function fill(items: readonly Doc[], separator = ','): Doc {
  return { kind: 'fill', items: items.map((item, i) => (i < items.length - 1 ? concat(item, separator) : item)) };
}

export function join(items: readonly Doc[], separator: Doc): Doc {
  return concat(...items.flatMap((item, i) => (i === 0 ? [item] : [separator, item])));
}

interface Command {
  readonly indent: number;
  readonly flat: boolean;
  readonly doc: Doc;
}

/** The text of a document that starts in column `start`, without blanks at line ends. */
export function render(doc: Doc, start = 0): string {
  let out = '';
  let column = start;
  const stack: Command[] = [{ indent: start, flat: false, doc }];
  const write = (text: string): void => {
    out += text;
    column += text.length;
  };
  while (stack.length > 0) {
    const { indent, flat, doc: d } = stack.pop()!;
    if (typeof d === 'string') {
      write(d);
      continue;
    }
    switch (d.kind) {
      case 'line':
        if (flat && !d.hard) write(d.flat);
        else {
          out = `${out.replace(/ +$/, '')}\n${' '.repeat(indent)}`;
          column = indent;
        }
        break;
      case 'group': {
        const fits = flat || fitsFlat([{ indent, flat: true, doc: d }], stack, pageWidth - column);
        stack.push({ indent, flat: fits, doc: d.doc });
        break;
      }
      case 'fill':
        printFill(d.items, { indent, flat, doc: d }, stack, column);
        break;
      case 'comment':
        out += d.text;
        break;
      default:
        for (const c of expand(d, indent, flat, column)) stack.push(c);
    }
  }
  return out.replace(/ +$/, '');
}

/** The commands of a document that only groups others, last first. */
function expand(d: Exclude<Doc, string | { kind: 'line' | 'group' | 'fill' | 'comment' }>, indent: number, flat: boolean, column: number): Command[] {
  switch (d.kind) {
    case 'concat':
      return d.parts.map((doc) => ({ indent, flat, doc })).reverse();
    case 'nest':
      return [{ indent: indent + nesting, flat, doc: d.doc }];
    case 'align':
      return [{ indent: column <= lastAlignment ? column : indent + 2 * nesting, flat, doc: d.doc }];
    case 'unbroken':
      return [{ indent, flat: true, doc: d.doc }];
    case 'choice':
      return [{ indent, flat, doc: flat ? d.flat : d.broken }];
  }
}

/** Prints the first item and leaves the others, with the line before them, on the stack. */
function printFill(items: readonly Doc[], { indent, flat }: Command, stack: Command[], column: number): void {
  if (items.length === 0) return;
  const [item, next, ...rest] = items;
  const asOne: Command = { indent, flat: true, doc: item };
  const itemFits = flat || fitsFlat([asOne], next === undefined ? stack : [], pageWidth - column);
  if (next !== undefined) {
    stack.push({ indent, flat, doc: { kind: 'fill', items: [next, ...rest] } });
    const both: Command = { indent, flat: true, doc: concat(item, line, next) };
    const sameLine = itemFits && fitsFlat([both], rest.length === 0 ? stack.slice(0, -1) : [], pageWidth - column);
    stack.push({ indent, flat: flat || sameLine, doc: line });
  }
  stack.push({ indent, flat: itemFits, doc: item });
}

/** Whether `commands` on one line, and what follows them up to the next possible newline, fit into `room` columns. */
function fitsFlat(commands: readonly Command[], rest: readonly Command[], room: number): boolean {
  const own = measure([...commands], room);
  if (own === 'newline' || own < 0) return false;
  let left = own;
  for (let i = rest.length - 1; i >= 0 && left >= 0; i--) {
    const after = measure([rest[i]], left);
    if (after === 'newline') return true;
    left = after;
  }
  return left >= 0;
}

/** Columns left after printing `pending`, negative when there are too few, or 'newline' when one comes before that. */
function measure(pending: Command[], room: number): number | 'newline' {
  let left = room;
  while (pending.length > 0 && left >= 0) {
    const { flat, doc: d, indent } = pending.pop()!;
    if (typeof d === 'string') left -= d.length;
    else if (d.kind === 'line') {
      if (d.hard || !flat) return 'newline';
      left -= d.flat.length;
    } else if (d.kind === 'group') {
      if (flat && d.limit !== undefined && !withinLimit(d.doc, d.limit)) return 'newline';
      pending.push({ indent, flat, doc: d.doc });
    } else if (d.kind === 'fill') pending.push({ indent, flat, doc: join(d.items, line) });
    else if (d.kind !== 'comment') pending.push(...expand(d, indent, flat, 0));
  }
  return left;
}

function withinLimit(doc: Doc, limit: number): boolean {
  const left = measure([{ indent: 0, flat: true, doc }], limit);
  return left !== 'newline' && left >= 0;
}
