/** Columns for a terminal. */
import { printable } from "./printable.ts";

export interface Column {
  readonly title: string;
  /** Figures stand on the right. */
  readonly figures?: boolean;
}

/** One line for the titles and one for each row; columns are two spaces apart and as wide as their widest cell. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const lines = [columns.map((column) => column.title), ...rows.map((cells) => cells.map(printable))];
  const widths = columns.map((_, at) => Math.max(...lines.map((cells) => cells[at]?.length ?? 0)));
  return lines.map((cells) =>
    columns
      .map((column, at) => {
        const [cell, width] = [cells[at] ?? "", widths[at] ?? 0];
        return column.figures === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
