/** A titled part of a view. While its figures are awaited it keeps their place, so nothing jumps. */
import type { ComponentChildren } from "preact";

type Props = {
  id: string;
  title: string;
  count?: number | undefined;
  aside?: ComponentChildren;
  /**
   * On a laptop its height stays and what is inside scrolls, so that nothing around a
   * list moves while it grows.
   */
  steady?: true;
  children?: ComponentChildren;
};

export function Panel({ id, title, count, aside, steady, children }: Props) {
  return (
    <section class={`panel panel-${id}`} aria-labelledby={`panel-${id}`} data-steady={steady}>
      <header class="panel-head">
        <h2 id={`panel-${id}`} tabIndex={-1}>
          {title}
        </h2>
        {count !== undefined && <span class="count">{count}</span>}
        {aside && <div class="aside">{aside}</div>}
      </header>
      {steady ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <div class="panel-body" tabIndex={0}>
          {children}
        </div>
      ) : (
        children
      )}
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
