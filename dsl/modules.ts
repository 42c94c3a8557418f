/**
 * Which names a file sees. `loadProgram` parses the entry and every file that it needs, and gives each file a scope:
 * its own items and what its `use` lines bring in. Names that are in no scope are the language's own (`exp`, `top`,
 * `int4`, `tokens`, ...), which this module does not know.
 *
 * For whoever checks a program: look a name that is used in file `path` up with `lookUp(program, path, name)`; the
 * definition says in which file its item stands, and names inside that item are looked up there. An item that is
 * overridden in a local scope (parameters, assignments) is the checker's business.
 */
import type { File, Identifier, Item, Use } from './ast.js';
import { hasErrors, type Diagnostic } from './diagnostics.js';
import * as messages from './messages.js';
import { parse, type Parsed } from './parse.js';
import type { SourceFile, Span } from './span.js';
import { suggest } from './suggest.js';
import { UnreadableFile } from './unreadable-file.js';

/** Where texts come from: `std-node.ts` reads the disk, `memoryLoader` holds them (browser, tests). */
export interface ModuleLoader {
  /** The standard library, one file per module, with paths `std/<module>.firn`. */
  standard(): readonly SourceFile[];
  /** A user's file, by the path of the file that uses it joined with what it wrote; throws UnreadableFile for what is no text. */
  read(path: string): SourceFile | undefined;
}

export interface Definition {
  readonly name: string;
  readonly item: Item;
  /** The file that the item stands in, whose scope its body sees. */
  readonly path: string;
}

export type Scope = ReadonlyMap<string, Definition>;

export interface Program {
  /** Path of the entry file. */
  readonly entry: string;
  /** By path, used files before the files that use them. */
  readonly files: ReadonlyMap<string, File>;
  readonly scopes: ReadonlyMap<string, Scope>;
  /** The texts of `files`, and of files that could not be parsed: what `renderDiagnostic` needs. */
  readonly sources: readonly SourceFile[];
  /** The module of the standard library that has a name, `std.rope`. */
  readonly library: (name: string) => string | undefined;
  /** Syntax errors of every file that was read, then errors of names; in source order within a file. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The item that `name` stands for in file `path`, if it is not local and not the language's own. */
export function lookUp(program: Program, path: string, name: string): Definition | undefined {
  return program.scopes.get(path)?.get(name);
}

export function loadProgram(entry: SourceFile, loader: ModuleLoader): Program {
  const loading = new Loading(loader);
  loading.load(entry, []);
  const { files, scopes, sources, diagnostics } = loading;
  return { entry: entry.path, files, scopes, sources: [...sources.values()], library: (name) => loading.library(name), diagnostics };
}

/** A loader of texts by path; those under `std/` are the standard library. */
export function memoryLoader(texts: Readonly<Record<string, string>>): ModuleLoader {
  const sources = Object.entries(texts).map(([path, text]) => ({ path, text }));
  return {
    standard: () => sources.filter((s) => s.path.startsWith('std/')),
    read: (path) => sources.find((s) => s.path === path && !s.path.startsWith('std/')),
  };
}

/** `./b.firn` used in `models/a.firn` is `models/b.firn`. */
export function joinPath(from: string, path: string): string {
  if (/^(\/|[A-Za-z]:)/.test(path)) return path;
  const out: string[] = [];
  for (const part of [...from.split(/[\\/]/).slice(0, -1), ...path.split('/')]) {
    if (part === '..' && out.length > 0 && out[out.length - 1] !== '..' && out[out.length - 1] !== '') out.pop();
    else if (part !== '.') out.push(part);
  }
  return out.join('/');
}

function moduleOf(path: string): string {
  return path.replace(/^std\//, 'std.').replace(/\.firn$/, '');
}

/** A `use` that is being followed, for the report of a cycle. */
interface Step {
  readonly path: string;
  readonly use: Use;
}

const parses = new WeakMap<SourceFile, Parsed>();

/** `parse`, once per file object: those of the standard library are the same for every program of a process. */
export function parseOnce(source: SourceFile): Parsed {
  const parsed = parses.get(source) ?? parse(source);
  parses.set(source, parsed);
  return parsed;
}

/** False where the text shows that no item has the name: a model needs few modules of the library, and parsing takes longest. */
function mayDefine(source: SourceFile, name: string): boolean {
  return new RegExp(`\\b(?:layer|fn|const|model)\\s+${name}\\b`).test(source.text);
}

/** What `loadProgram` has read so far. */
class Loading {
  readonly files = new Map<string, File>();
  readonly scopes = new Map<string, Scope>();
  readonly sources = new Map<string, SourceFile>();
  readonly diagnostics: Diagnostic[] = [];
  private readonly parsed = new Map<string, Parsed>();
  private standardFiles: readonly SourceFile[] | undefined;

  constructor(private readonly loader: ModuleLoader) {}

  /** Parses a file, then what it uses, then builds its scope. `trail` is how it was reached. */
  load(source: SourceFile, trail: readonly Step[]): File | undefined {
    if (this.files.has(source.path)) return this.files.get(source.path);
    const file = this.parse(source);
    if (!file) return undefined;
    const scope = this.ownScope(file, source.path);
    for (const use of file.uses) this.follow(use, source, scope, trail);
    this.files.set(source.path, file);
    this.scopes.set(source.path, scope);
    return file;
  }

  private parse(source: SourceFile): File | undefined {
    const known = this.parsed.get(source.path);
    if (known) return known.file;
    const parsed = parseOnce(source);
    this.parsed.set(source.path, parsed);
    this.sources.set(source.path, source);
    this.diagnostics.push(...parsed.diagnostics);
    return parsed.file;
  }

  private ownScope(file: File, path: string): Map<string, Definition> {
    const scope = new Map<string, Definition>();
    for (const item of file.items) {
      const earlier = scope.get(item.name.name);
      if (earlier) this.diagnostics.push(messages.definedTwice(item.name.name, earlier.item.name.span, item.name.span));
      else scope.set(item.name.name, { name: item.name.name, item, path });
    }
    return scope;
  }

  private follow(use: Use, source: SourceFile, scope: Map<string, Definition>, trail: readonly Step[]): void {
    const here = [...trail, { path: source.path, use }];
    for (const name of use.names) {
      const target = this.find(use, name, source);
      if (!target || this.reportCycle(target.path, here)) continue;
      const file = this.load(target, here);
      const item = file?.items.find((i) => i.name.name === name.name);
      if (item) this.bring({ name: name.name, item, path: target.path }, name.span, scope, source.path);
      else if (file && !hasErrors(this.parsed.get(target.path)!.diagnostics)) this.reportUnknown(use, name, [file]);
    }
  }

  private bring(definition: Definition, span: Span, scope: Map<string, Definition>, path: string): void {
    const { name } = definition;
    const earlier = scope.get(name);
    if (earlier === undefined) scope.set(name, definition);
    else if (earlier.item !== definition.item) {
      const site = earlier.path === path ? earlier.item.name.span : undefined;
      this.diagnostics.push(messages.usedTwice(name, moduleOf(earlier.path), moduleOf(definition.path), site, span));
    }
  }

  /** The file that should define the name; reports when there is none. */
  private find(use: Use, name: Identifier, source: SourceFile): SourceFile | undefined {
    if (isPath(use.module)) return this.findPath(use, source);
    if (use.module === 'std') return this.findInStandard(use, name);
    const found = this.standard().find((s) => moduleOf(s.path) === use.module);
    if (!found && use.names[0] === name) {
      const known = ['std', ...this.standard().map((s) => moduleOf(s.path))];
      this.diagnostics.push(messages.unknownModule(use.module, suggest(use.module, known), use.span));
    }
    return found;
  }

  private findPath(use: Use, source: SourceFile): SourceFile | undefined {
    const path = joinPath(source.path, use.module);
    const known = this.sources.get(path);
    if (known || this.diagnostics.some((d) => d.span === use.span)) return known;
    try {
      const read = this.loader.read(path);
      if (!read) this.diagnostics.push(messages.missingFile(use.module, path, use.span));
      return read;
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error;
      this.diagnostics.push(messages.unreadableFile(use.module, path, error.reason, use.span));
      return undefined;
    }
  }

  /** `use std.{name}` takes the name from whichever module defines it. */
  private findInStandard(use: Use, name: Identifier): SourceFile | undefined {
    const owners = this.standard().filter((s) => mayDefine(s, name.name) && this.parse(s)?.items.some((i) => i.name.name === name.name));
    if (owners.length === 0) this.reportUnknown(use, name, this.standard().map((s) => this.parse(s)).filter((f) => f !== undefined));
    if (owners.length > 1) this.diagnostics.push(messages.ambiguousName(name.name, owners.map((s) => moduleOf(s.path)), name.span));
    return owners[0];
  }

  library(name: string): string | undefined {
    const owner = this.standard().find((s) => mayDefine(s, name) && parseOnce(s).file?.items.some((i) => i.name.name === name));
    return owner === undefined ? undefined : moduleOf(owner.path);
  }

  private standard(): readonly SourceFile[] {
    this.standardFiles ??= this.loader.standard();
    return this.standardFiles;
  }

  private reportUnknown(use: Use, name: Identifier, files: readonly File[]): void {
    const known = files.flatMap((f) => f.items.map((i) => i.name.name));
    const elsewhere = isPath(use.module) || use.module === 'std' ? [] : this.standard().filter((s) => this.parse(s)?.items.some((i) => i.name.name === name.name));
    this.diagnostics.push(messages.unknownImport(name.name, use.module, suggest(name.name, known), elsewhere.map((s) => moduleOf(s.path)), name.span));
  }

  /** True when following the last step leads back to a file on the way. */
  private reportCycle(path: string, trail: readonly Step[]): boolean {
    const start = trail.findIndex((step) => step.path === path);
    if (start < 0) return false;
    const round = trail.slice(start);
    const last = round[round.length - 1];
    const known = this.diagnostics.some((d) => d.code === 'E0104' && d.span === last.use.span);
    if (!known) this.diagnostics.push(messages.moduleCycle([...round.map((s) => s.path), path].map(moduleOf), round.slice(0, -1).map((s) => s.use.span), last.use.span));
    return true;
  }
}

function isPath(module: string): boolean {
  return module.includes('/') || module.endsWith('.firn');
}
