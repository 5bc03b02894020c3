/** The browser's tab says what is wrong even while another one is in front: in its title and its icon. */
import { useEffect } from "preact/hooks";
import type { Sentence, Status } from "./api.ts";
import usualIcon from "./favicon.svg";
import criticalIcon from "./favicon-critical.svg";
import unknownIcon from "./favicon-unknown.svg";

const PRODUCT = "dspy-databricks";

/** While nothing is wrong, or only about to be, the icon is the product's own. */
const ICONS: Record<Status, string> = {
  healthy: usualIcon,
  warning: usualIcon,
  critical: criticalIcon,
  unknown: usualIcon,
};

export function useTab(sentence: Sentence | undefined, isLost: boolean): void {
  const headline = sentence?.headline;
  const icon = isLost ? unknownIcon : ICONS[sentence?.status ?? "unknown"];
  useEffect(() => {
    document.title = headline ? `${headline.replaceAll("`", "")} · ${PRODUCT}` : PRODUCT;
  }, [headline]);
  useEffect(() => {
    document.querySelector('link[rel="icon"]')?.setAttribute("href", icon);
  }, [icon]);
}
