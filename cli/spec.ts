/** Spec files and the modules that they use. */
export { nodeLoader, readSpec } from '../dsl/std-node.js';
