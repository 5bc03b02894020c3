/** A titled part of a view. While its figures are awaited it keeps their place, so nothing jumps. */
import type { ComponentChildren } from "preact";

type Props = {
  id: string;
  title: string;
  count?: number | undefined;
  aside?: ComponentChildren;
  children?: ComponentChildren;
};

export function Panel({ id, title, count, aside, children }: Props) {
  return (
    <section class={`panel panel-${id}`} aria-labelledby={`panel-${id}`}>
      <header class="panel-head">
        <h2 id={`panel-${id}`}>{title}</h2>
        {count !== undefined && <span class="count">{count}</span>}
        {aside && <div class="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** Quiet bars where rows will stand. */
export function AwaitedRows({ rows }: { rows: number }) {
  return (
    <div class="awaited" aria-hidden="true">
      {Array.from({ length: rows }, (_, row) => (
        <i key={row} />
      ))}
    </div>
  );
}
