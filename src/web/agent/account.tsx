/** What Databricks' own system tables say of the agent: apart from what telemetry tells. */
import type { AccountView } from "../api.ts";
import { accountLines } from "./account-words.ts";

export function AccountFigures({ account }: { account: AccountView }) {
  return (
    <dl class="platform">
      {accountLines(account).map(({ name, value }) => (
        <div key={`${name} ${value}`}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
