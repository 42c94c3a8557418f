/** Ranks as a grid: parts per mesh axis, `{ tensor: 2, expert: 4 }`. Ranks are numbered with the first axis fastest. */
export type Mesh = Readonly<Record<string, number>>;

export function rankCount(mesh: Mesh): number {
  return Object.values(mesh).reduce((n, parts) => n * parts, 1);
}

/** Of each rank: its place on the mesh axis `group`. */
export function placesOn(mesh: Mesh, group: string): number[] {
  const names = Object.keys(mesh);
  const step = names.slice(0, names.indexOf(group)).reduce((n, name) => n * mesh[name], 1);
  return Array.from({ length: rankCount(mesh) }, (_, rank) => Math.floor(rank / step) % mesh[group]);
}

/** Per mesh axis the teams that meet in its collectives: ranks that differ in their place on it only, in its order. */
export function meshGroups(mesh: Mesh): { readonly name: string; readonly teams: readonly (readonly number[])[] }[] {
  return Object.keys(mesh).map((name) => {
    const places = placesOn(mesh, name);
    const step = Object.keys(mesh).slice(0, Object.keys(mesh).indexOf(name)).reduce((n, before) => n * mesh[before], 1);
    const firsts = places.flatMap((place, rank) => (place === 0 ? [rank] : []));
    return { name, teams: firsts.map((first) => Array.from({ length: mesh[name] }, (_, i) => first + i * step)) };
  });
}
