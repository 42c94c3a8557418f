/** Lists and tuples may hold tensors: the tensors in a value, by names that say where in it they are. */
import type { TensorValue, Value } from './value.js';

/** `value` with its tensors replaced; those of the list `past` are called `past.0`, `past.1`, .. */
export function mapTensors(name: string, value: Value, change: (tensor: TensorValue, name: string) => TensorValue): Value {
  switch (value.kind) {
    case 'tensor': return change(value, name);
    case 'list': case 'tuple': return { ...value, items: value.items.map((item, i) => mapTensors(`${name}.${i}`, item, change)) };
    default: return value;
  }
}

export function tensorsIn(name: string, value: Value): readonly (readonly [string, TensorValue])[] {
  const found: (readonly [string, TensorValue])[] = [];
  mapTensors(name, value, (tensor, at) => { found.push([at, tensor]); return tensor; });
  return found;
}
