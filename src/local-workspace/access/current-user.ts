/**
 * Who the caller is, as far as deciding what it may do needs it.
 *
 * Source: databricks-sdk-py 0.156.0, `CurrentUserAPI.me`; the shape is SCIM's.
 */
import type { WorkspaceApi } from "../core/context.ts";
import { namesOf } from "./principals.ts";

export const currentUser: WorkspaceApi = {
  name: "Current user",
  mount(routes) {
    routes.get("/api/2.0/preview/scim/v2/Me", (c) => {
      const principal = c.get("principal");
      return c.json({
        id: principal.name,
        userName: principal.name,
        displayName: principal.name,
        active: true,
        groups: namesOf(principal)
          .filter((name) => name !== principal.name)
          .map((display) => ({ display, value: display })),
      });
    });
  },
};
