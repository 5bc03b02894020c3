/** The rules that watch an agent, whether they are breached or not: limit, what is measured, state. */
import type { RuleRow, Status } from "../api.ts";
import { type Column, FiguresTable } from "../elements/figures-table.tsx";
import { State } from "../elements/state.tsx";
import { formatMeasure } from "../format.ts";
import { limitWords, ruleNames } from "../sections/rule-words.ts";

export function Rules({ rules }: { rules: readonly RuleRow[] }) {
  return (
    <FiguresTable
      label="Rules"
      class="rules"
      columns={COLUMNS}
      rows={rules}
      keyOf={(rule) => rule.ruleId}
      rowAttributes={(rule) => ({ "data-rule": rule.ruleId, "data-state": rule.state })}
    />
  );
}

const STATUS: Record<RuleRow["state"], Status> = {
  firing: "critical",
  pending: "warning",
  resolved: "healthy",
  inactive: "healthy",
};

const COLUMNS: Column<RuleRow>[] = [
  { id: "rule", label: "Rule", text: true, cell: ({ kind }) => ruleNames[kind] },
  { id: "limit", label: "Alerts when", text: true, cell: limitWords },
  {
    id: "measured",
    label: "Measured",
    cell: ({ value, unit }) => (value === null ? "–" : formatMeasure(value, unit)),
  },
  {
    id: "state",
    label: "State",
    text: true,
    cell: ({ state }) => <State status={STATUS[state]} word={state} />,
  },
  {
    id: "origin",
    label: "Set",
    text: true,
    title: "By agent.yaml or configureAlerts, or built in",
    cell: ({ origin }) => (origin === "own" ? "for this agent" : "built in"),
  },
];
