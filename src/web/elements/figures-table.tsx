/**
 * Rows of figures: a table on a laptop; on a phone each row becomes a card in which
 * every figure carries its column's name.
 */
import type { ComponentChildren } from "preact";

export type Column<Row> = {
  readonly id: string;
  readonly label: string;
  /** Longer words for the label, on hover. */
  readonly title?: string;
  /** Numbers stand at the right; the first column names the row. */
  readonly text?: true;
  readonly testId?: string;
  cell(row: Row): ComponentChildren;
};

type Props<Row> = {
  label: string;
  class: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf(row: Row): string;
  rowAttributes?(row: Row): Record<`data-${string}`, string>;
  /** A click anywhere in the row; its link is what keyboards and screen readers use. */
  onOpen?(row: Row): void;
};

/** Cards change `display`, which would take the table away from screen readers. */
const ROLE = {
  table: { role: "table" },
  group: { role: "rowgroup" },
  row: { role: "row" },
  head: { role: "columnheader" },
} as const;

export function FiguresTable<Row>(props: Props<Row>) {
  const { columns, rows } = props;
  return (
    <div class="scroll">
      <table class={`figures ${props.class}`} aria-label={props.label} {...ROLE.table}>
        <thead {...ROLE.group}>
          <tr {...ROLE.row}>
            {columns.map((column) => (
              <th key={column.id} class={cellClass(column)} title={column.title} {...ROLE.head}>
                {column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody {...ROLE.group}>
          {rows.map((row) => (
            <tr
              key={props.keyOf(row)}
              {...ROLE.row}
              {...props.rowAttributes?.(row)}
              onClick={(event) => {
                if (isPlainClick(event)) props.onOpen?.(row);
              }}
            >
              {columns.map((column, index) => (
                <td
                  key={column.id}
                  role={index === 0 ? "rowheader" : "cell"}
                  class={cellClass(column)}
                  data-label={column.label}
                  data-testid={column.testId}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Not one that selects text, opens a tab, or belongs to a link. */
function isPlainClick(event: MouseEvent): boolean {
  const isOnLink = event.target instanceof Element && event.target.closest("a") !== null;
  const isModified = event.ctrlKey || event.metaKey || event.shiftKey;
  return !isOnLink && !isModified && getSelection()?.isCollapsed !== false;
}

function cellClass(column: { id: string; text?: true }): string {
  return `${column.text ? "text" : "number"} column-${column.id}`;
}
