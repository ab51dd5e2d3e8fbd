/** What tells the rows of a group apart, beside their names. */
import type { Group, Row } from './model.ts';

/** A program in C belongs to the host in whose rounds it ran. */
export function placeOf({ host, labels }: Row): string | undefined {
  return host ?? (labels.beside === undefined ? undefined : String(labels.beside));
}

/** Names of the labels that are not the same for all rows: the others are in the title. */
function tellingLabels({ rows }: Group): string[] {
  const names = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))];
  return names.filter(
    (name) => name !== 'beside' && new Set(rows.map(({ labels }) => labels[name])).size > 1,
  );
}

/** `node · window 256`; the host always, as it is nowhere else. */
export function formatLabels(group: Group, row: Row): string {
  const place = placeOf(row);
  const texts = tellingLabels(group).flatMap((name) => {
    const value = row.labels[name];
    return value === undefined ? [] : [`${name} ${value}`];
  });
  return [...(place === undefined ? [] : [place]), ...texts].join(' · ');
}

/** Nothing where the row's name alone says which it is. */
export function distinguish(group: Group, row: Row): string {
  const alone = group.rows.filter(({ name }) => name === row.name).length === 1;
  return alone ? '' : formatLabels(group, row);
}
