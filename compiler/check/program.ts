/** A spec with the files that it uses, as elaboration reads it. */
import type { File, Item } from '../../dsl/ast.js';

export interface LoadedFile {
  readonly file: File;
  /** What `use` brings in: the name, the item, and the file that holds it. */
  readonly imports: ReadonlyMap<string, { readonly item: Item; readonly from: LoadedFile }>;
}

export interface Program { readonly main: LoadedFile }
