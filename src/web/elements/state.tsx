/**
 * A state as word, shape and colour together: the shape is for those who can't tell
 * the colours apart, the word for everyone.
 */
import type { ComponentRow, Status } from "../api.ts";

export function State({ status, word }: { status: Status; word: string }) {
  return (
    <span class="state" data-status={status}>
      <StateShape status={status} />
      {word}
    </span>
  );
}

/** Tick in a disc, triangle, diamond, ring: four outlines that differ without colour. */
export function StateShape({ status, size = 14 }: { status: Status; size?: number }) {
  return (
    <svg
      class="state-shape"
      data-status={status}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
    >
      <Outline status={status} />
    </svg>
  );
}

export function statusOfHealth(health: ComponentRow["status"]): Status {
  switch (health) {
    case "healthy":
      return "healthy";
    case "degraded":
      return "warning";
    case "unhealthy":
      return "critical";
    case "unknown":
      return "unknown";
  }
}

function Outline({ status }: { status: Status }) {
  switch (status) {
    case "healthy":
      return (
        <>
          <circle class="shape-fill" cx="8" cy="8" r="7" />
          <path class="shape-mark" d="M4.8 8.3 7 10.4 11.2 5.8" />
        </>
      );
    case "warning":
      return (
        <>
          <path class="shape-fill" d="M8 1 15.4 14.2H.6Z" />
          <path class="shape-mark" d="M8 6v4M8 12v.4" />
        </>
      );
    case "critical":
      return (
        <>
          <path class="shape-fill" d="M8 0 16 8 8 16 0 8Z" />
          <path class="shape-mark" d="M8 4.4v4.4M8 11.2v.4" />
        </>
      );
    case "unknown":
      return <circle class="shape-ring" cx="8" cy="8" r="6" />;
  }
}
