/**
 * The catalogue, second part: what a spec means. E02xx names and values, E03xx extents and axes, E04xx instances,
 * parameters and states, E05xx forms, E06xx sections of a model.
 */
export * from './axis-messages.js';
export * from './depth-messages.js';
export { definedTwice, moreErrors, withUse } from './messages.js';
export type { AxisSide, NamedAxis } from './derivation.js';
export * from './instance-messages.js';
export * from './section-messages.js';
export * from './value-messages.js';
