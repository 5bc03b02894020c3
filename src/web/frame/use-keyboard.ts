/** Listens to the keyboard and carries the commands out where they touch the page. */
import { useEffect } from "preact/hooks";
import { type Press, type Pressed, pressKey } from "../keyboard.ts";

type Actions = { goToOverview(): void; showHelp(): void };

const FILTER_ID = "agent-filter";

export function useKeyboard({ goToOverview, showHelp }: Actions): void {
  useEffect(() => {
    let waiting: Pressed["waiting"] = null;

    function onKeyDown(event: KeyboardEvent): void {
      if (document.querySelector("dialog[open]")) return;
      const pressed = pressKey(waiting, {
        key: event.key,
        modified: event.ctrlKey || event.metaKey || event.altKey,
        place: placeOf(event.target),
      });
      waiting = pressed.waiting;
      if (!pressed.command) return;

      switch (pressed.command) {
        case "filter":
          if (!focusFilter()) {
            goToOverview();
            // The filter stands there once the overview is drawn.
            requestAnimationFrame(() => requestAnimationFrame(focusFilter));
          }
          break;
        case "go to overview":
          goToOverview();
          break;
        case "go to alerts":
          goToSection("alerts");
          break;
        case "go to errors":
          goToSection("panel-errors");
          break;
        case "go to health":
          goToSection("panel-health");
          break;
        case "help":
          showHelp();
          break;
        case "close":
          clearFilter();
          return;
        case "next row":
          if (!walkRows(1)) return;
          break;
        case "previous row":
          if (!walkRows(-1)) return;
          break;
        case "open first row":
          rowLinks()[0]?.click();
          break;
      }
      event.preventDefault();
    }

    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [goToOverview, showHelp]);
}

function placeOf(target: EventTarget | null): Press["place"] {
  if (!(target instanceof HTMLElement)) return "page";
  if (target.id === FILTER_ID) return "filter";
  return target.matches("input, textarea, select") ? "other field" : "page";
}

/** The focus goes along, so that a screen reader reads on from there. */
function goToSection(id: string): void {
  const section = document.getElementById(id);
  section?.focus({ preventScroll: true });
  section?.scrollIntoView({ block: "start" });
}

function focusFilter(): boolean {
  const filter = document.getElementById(FILTER_ID);
  filter?.focus();
  return filter !== null;
}

function clearFilter(): void {
  const filter = document.getElementById(FILTER_ID);
  if (!(filter instanceof HTMLInputElement)) return;
  filter.value = "";
  filter.dispatchEvent(new Event("input", { bubbles: true }));
  filter.blur();
}

/** Without a row to go to, the arrows scroll as always. */
function walkRows(step: 1 | -1): boolean {
  const links = rowLinks();
  if (links.length === 0) return false;
  const at = links.findIndex((link) => link.matches(":focus"));
  if (at === 0 && step === -1) return focusFilter();
  links[at === -1 ? 0 : Math.min(at + step, links.length - 1)]?.focus();
  return true;
}

function rowLinks(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-row-link]")];
}
