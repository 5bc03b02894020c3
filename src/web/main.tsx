/** Starts the page. */
import { render } from "preact";
import { App } from "./app.tsx";
import { applyTheme, readTheme } from "./theme.ts";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/table.css";
import "./styles/sections.css";
import "./styles/agent.css";

applyTheme(readTheme());

const root = document.getElementById("page");
if (!root) throw new Error("index.html has no element with the id page");
render(<App />, root);
