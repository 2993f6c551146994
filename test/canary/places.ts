import proto from '@temporalio/proto';
import type { World } from '../support/world.ts';
import type { Canaries, Canary, CanaryKind } from './canaries.ts';

/** A canary, and where it was found. */
export interface Found extends Canary {
  readonly place: string;
}

/** The columns that may hold what a merchant or operator said, by kind. Everything else must hold no canary. */
const homes: Readonly<Record<string, readonly CanaryKind[]>> = {
  'payments.customer_email': ['person'],
  'payments.customer_name': ['person'],
  'payments.description': ['words'],
  'payments.metadata': ['words'],
  'payments.return_url': ['words'],
  'payments.external_id': ['id'],
  'payments.customer_id': ['id'],
  'payments.card_token': ['card'],
  'payments.idempotency_key': ['key'],
  'payments.processor_response_message': ['provider'],
  'attempts.outcome': ['provider'],
  'movements.reason': ['words', 'decision'],
  'movements.idempotency_key': ['key'],
  'events.data': ['id'],
  'payment_audit_trail.details': ['decision'],
  'discrepancies.closed_reason': ['decision'],
  'customers.external_id': ['id'],
  'customers.email': ['person'],
  'customers.name': ['person'],
  'customers.phone': ['person'],
  'customers.metadata': ['words'],
  'customers.idempotency_key': ['key'],
  'plans.external_id': ['id'],
  'plans.name': ['words'],
  'plans.description': ['words'],
  'plans.metadata': ['words'],
  'plans.idempotency_key': ['key'],
  'subscriptions.external_id': ['id'],
  'subscriptions.customer_id': ['id'],
  'subscriptions.payment_method': ['card'],
  'subscriptions.description': ['words'],
  'subscriptions.metadata': ['words'],
  'subscriptions.idempotency_key': ['key'],
  'invoices.customer_id': ['id'],
  'invoices.lines': ['words'],
  'test_clocks.name': ['words'],
  'test_clocks.idempotency_key': ['key'],
  'batches.reference': ['words'],
  'batches.errors': ['words'],
  'batches.idempotency_key': ['key'],
  'batch_rows.row_key': ['words'],
  'users.email': ['person'],
  'users.name': ['person'],
  'users.idempotency_key': ['key'],
  'merchants.name': ['person'],
  'merchants.settings': ['words'],
  'merchants.idempotency_key': ['key'],
  'api_keys.name': ['person'],
  'api_keys.description': ['words'],
  'api_keys.idempotency_key': ['key'],
  'webhook_endpoints.url': ['words'],
  'webhook_endpoints.description': ['words'],
  'webhook_endpoints.idempotency_key': ['key'],
};

/** Looks through everything that the processes printed. */
export function searchLogs(world: World, canaries: Canaries): Found[] {
  return world
    .logs()
    .split('\n')
    .flatMap((line) => found(canaries, line, `log: ${line.slice(0, 200)}`));
}

/** Looks through every column of every table, but for where a canary is at home. */
export async function searchTables({ admin }: World, canaries: Canaries): Promise<Found[]> {
  const { rows: columns } = await admin.query<{ table: string; column: string }>(
    `SELECT c.table_name AS "table", c.column_name AS "column" FROM information_schema.columns c
     JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'`,
  );
  const all: Found[] = [];
  for (const { table, column } of columns) {
    const { rows } = await admin.query<{ text: string }>(
      `SELECT DISTINCT "${column}"::text AS text FROM "${table}" WHERE "${column}" IS NOT NULL`,
    );
    const place = `${table}.${column}`;
    const atHome = new Set(homes[place] ?? []);
    all.push(...rows.flatMap(({ text }) => found(canaries, text, place)).filter(({ kind }) => !atHome.has(kind)));
  }
  return all;
}

/** How many workflows were looked at, and what was found in their histories as Temporal keeps them, undecoded. */
export async function searchHistories(
  { temporal: client }: World,
  canaries: Canaries,
): Promise<{ count: number; found: Found[] }> {
  const { workflowService, options } = client;
  const { namespace } = options;
  const all: Found[] = [];
  let count = 0;
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await workflowService.listWorkflowExecutions({
      namespace,
      pageSize: 500,
      ...(nextPageToken && { nextPageToken }),
    });
    for (const info of page.executions) {
      count += 1;
      const id = info.execution?.workflowId ?? '';
      const listed = proto.temporal.api.workflow.v1.WorkflowExecutionInfo.encode(info).finish();
      all.push(...found(canaries, Buffer.from(listed).toString('latin1'), `list of workflows: ${id}`));
      all.push(...found(canaries, await rawHistory(client, info.execution ?? {}), `history of ${id}`));
    }
    nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined);
  return { count, found: all };
}

async function rawHistory(
  { workflowService, options: { namespace } }: World['temporal'],
  execution: proto.temporal.api.common.v1.IWorkflowExecution,
): Promise<string> {
  let text = '';
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await workflowService.getWorkflowExecutionHistory({
      namespace,
      execution,
      ...(nextPageToken && { nextPageToken }),
    });
    text += Buffer.from(proto.temporal.api.history.v1.History.encode(page.history ?? {}).finish()).toString('latin1');
    nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined);
  return text;
}

/** What was found in a text from there. */
export function found(canaries: Canaries, text: string, place: string): Found[] {
  return canaries.foundIn(text).map((canary) => ({ ...canary, place }));
}
