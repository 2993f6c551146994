/** Where a page of a list ended that is newest first: the last row's instant in ISO 8601, and its id. */
type CreatedPosition = readonly [createdAt: string, id: string];

/** Which rows of such a list: those behind `after`, all with null, at most `limit`. */
export interface Page {
  readonly after: CreatedPosition | null;
  readonly limit: number;
}

/** The same for Prisma Client, where the rows have `createdAt` and `id`: spread `where` beside the other conditions. */
export function newestFirst({ after, limit }: Page) {
  const where =
    after === null ? {} : { OR: [{ createdAt: { lt: after[0] } }, { createdAt: after[0], id: { lt: after[1] } }] };
  return { where, orderBy: [{ createdAt: 'desc' as const }, { id: 'desc' as const }], take: limit };
}
