/** For each filter of a list its SQL condition: `mark` is the parameter that holds the filter's value. */
export type Conditions<Filters> = { readonly [Name in keyof Required<Filters>]: (mark: string) => string };

/** What the given filters add to a statement that has parameters of its own. */
export interface Filtered {
  /** `AND …` for each given filter. */
  readonly sql: string;
  readonly values: readonly unknown[];
  /** Differs where `sql` does: a part of the statement's name. */
  readonly name: string;
}

/**
 * The conditions of those filters that are given, numbered after the statement's own `marks` parameters. A statement of its
 * own for each combination lets Postgres plan it for what it really filters by.
 */
export function filtered<Filters extends object>(
  conditions: Conditions<Filters>,
  filters: Filters,
  marks: number,
): Filtered {
  const given = Object.entries<(mark: string) => string>(conditions).flatMap(([name, condition], index) => {
    const value: unknown = Reflect.get(filters, name);
    return value === undefined ? [] : [{ condition, value, bit: 2 ** index }];
  });
  return {
    sql: given.map(({ condition }, index) => ` AND ${condition(`$${marks + index + 1}`)}`).join(''),
    values: given.map(({ value }) => value),
    name: given.reduce((sum, { bit }) => sum + bit, 0).toString(16),
  };
}
