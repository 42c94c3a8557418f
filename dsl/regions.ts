/** Where the statement around an error starts and ends: what the parser leaves out before it goes on. */
import { createTokenInstance, type TokenType } from 'chevrotain';
import { Broken, itemWords, keyword, Separator, sign, statementWords, type Token } from './tokens.js';
import { suggest } from './suggest.js';

/** Tokens [from, to). */
export interface Region {
  readonly from: number;
  readonly to: number;
}

const openers = new Set<TokenType>([sign['('], sign['['], sign['{']]);
const closers = new Set<TokenType>([sign[')'], sign[']'], sign['}']]);
const withBlock = ['repeat', 'head', 'if', 'at', 'model', 'layer'];

/**
 * The smallest statement (or match arm, rule, entry: what stands between separators and braces) that holds token `at`,
 * or ends right before it. One that was taken out already gives way to the statement around it.
 */
export function statementAround(tokens: readonly Token[], at: number): Region {
  const starts = startsBefore(tokens, at);
  for (let level = starts.length - 1; level >= 0; level--) {
    const from = starts[level];
    const to = endFrom(tokens, from);
    const spent = to <= from || (to === from + 1 && tokens[from].tokenType === Broken);
    if (!spent) return header(tokens, { from, to }, at);
  }
  return { from: at, to: at };
}

/** Per level of braces around token `at`, the outermost first: where the statement at that level starts. */
function startsBefore(tokens: readonly Token[], at: number): number[] {
  const starts = [0];
  const open: TokenType[] = [];
  for (let i = 0; i < Math.min(at, tokens.length); i++) {
    const type = tokens[i].tokenType;
    if (type === Separator) starts[starts.length - 1] = i + 1;
    else if (openers.has(type)) {
      open.push(type);
      if (type === sign['{']) starts.push(i + 1);
    } else if (closers.has(type) && open.pop() === sign['{']) starts.pop();
  }
  return starts;
}

function endFrom(tokens: readonly Token[], from: number): number {
  let depth = 0;
  let i = from;
  for (; i < tokens.length; i++) {
    const type = tokens[i].tokenType;
    if (depth === 0 && type === Separator) break;
    if (openers.has(type)) depth++;
    else if (closers.has(type) && --depth < 0) break;
  }
  return i;
}

/** When the error is before the block of a `repeat`, `if`, ..., the block stays and is checked for itself. */
function header(tokens: readonly Token[], { from, to }: Region, at: number): Region {
  const word = tokens[from].image;
  const meant = withBlock.includes(word) ? word : suggest(word, [...statementWords, ...itemWords])[0];
  if (!withBlock.includes(meant) || tokens[to - 1].tokenType !== sign['}']) return { from, to };
  let depth = 0;
  let opener = from;
  for (let i = from; i < to; i++) {
    if (depth === 0 && tokens[i].tokenType === sign['{']) opener = i;
    if (openers.has(tokens[i].tokenType)) depth++;
    else if (closers.has(tokens[i].tokenType)) depth--;
  }
  return at <= opener && opener > from && tokens[from].tokenType !== keyword.match ? { from, to: opener } : { from, to };
}

/** Puts one `Broken` token in the region's place and numbers the tokens anew. */
export function withoutRegion(tokens: readonly Token[], { from, to }: Region): Token[] {
  const first = tokens[from];
  const broken = createTokenInstance(Broken, '', first.startOffset, first.startOffset - 1, first.startLine!, first.startLine!, first.startColumn!, first.startColumn!);
  const out = [...tokens.slice(0, from), Object.assign(broken, { index: 0, leading: [] }) as Token, ...tokens.slice(to)];
  out.forEach((token, index) => {
    token.index = index;
  });
  return out;
}
