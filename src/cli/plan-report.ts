import type { Plan } from "../dry-run.ts";
import { formatBytes, formatCount, formatTable } from "./text-table.ts";

/** What `uploader --dry-run` prints. */
export function reportPlan({ sources, waiting }: Plan): string {
  const rows = sources.flatMap(({ table, pipelineType, rows, routes }) =>
    routes.length === 0
      ? [[table, pipelineType, "nothing new", String(rows), "", ""]]
      : routes.map((route) => [
          table,
          pipelineType,
          `${route.bucket}/${route.route.rejected ? "rejected/" : ""}${route.route.type}/`,
          formatCount(rows),
          formatCount(route.rows),
          formatBytes(route.bytes),
        ]),
  );
  const table = formatTable(
    [
      { heading: "Table" },
      { heading: "Type" },
      { heading: "Destination" },
      { heading: "New rows", align: "right" },
      { heading: "About rows", align: "right" },
      { heading: "About bytes", align: "right" },
    ],
    rows,
  );
  const outbox =
    waiting.objects === 0
      ? "The outbox is empty."
      : `The outbox holds ${formatCount(waiting.objects)} objects (${formatBytes(waiting.bytes)}) that would be delivered too.`;
  return `${table}\n${outbox}\nA dry run: nothing was changed. Rows and bytes are projected from the first rows of each table.`;
}
