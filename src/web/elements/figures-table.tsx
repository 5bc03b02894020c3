/**
 * Rows of figures: a table on a laptop; on a phone each row becomes a card in which
 * every figure carries its column's name. A column that can be compared sorts the
 * rows when its name is clicked.
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { nextSort, type Sort, type SortValue, sortRows } from "./sort-rows.ts";

export type Column<Row> = {
  readonly id: string;
  readonly label: string;
  /** Longer words for the label, on hover. */
  readonly title?: string;
  /** Numbers stand at the right; the first column names the row. */
  readonly text?: true;
  readonly testId?: string;
  readonly sortBy?: (row: Row) => SortValue;
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
  const { columns } = props;
  const [sort, setSort] = useState<Sort | null>(null);
  const sorting = columns.find((column) => column.id === sort?.columnId)?.sortBy;
  const rows = sort && sorting ? sortRows(props.rows, sorting, sort.direction) : props.rows;

  return (
    <div class="scroll">
      <table class={`figures ${props.class}`} aria-label={props.label} {...ROLE.table}>
        <thead {...ROLE.group}>
          <tr {...ROLE.row}>
            {columns.map((column) => (
              <th
                key={column.id}
                class={cellClass(column)}
                title={column.title}
                aria-sort={sort?.columnId === column.id ? sort.direction : undefined}
                {...ROLE.head}
              >
                {column.sortBy ? (
                  <button type="button" onClick={() => setSort(nextSort(sort, column))}>
                    {column.label}
                    <SortMark direction={sort?.columnId === column.id ? sort.direction : null} />
                  </button>
                ) : (
                  column.label
                )}
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

/** Its place is kept where nothing is sorted, so that no column widens at a click. */
function SortMark({ direction }: { direction: Sort["direction"] | null }) {
  return (
    <svg class="sort-mark" viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
      {direction && <path d={direction === "ascending" ? "M0 6 4 1 8 6Z" : "M0 2 4 7 8 2Z"} />}
    </svg>
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
