export { parse } from './dsl/parse.js';
