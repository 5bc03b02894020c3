/** The mechanism that runs the examples of the docs sees what is wrong with one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { examplesOf, printedBy, saysInOrder } from "./docs-typescript.ts";

const page = `# Page
Text.
\`\`\`ts
import { a } from "x";
\`\`\`
## Further
\`\`\`sh
npm start
\`\`\`
\`\`\`ts
console.log(a); // 1 …
console.log("; // 3"); // two
\`\`\`
~~~ts
import { b } from "y";
~~~
`;

test("a block without an import goes on with the program before it", () => {
  const examples = examplesOf(page);
  assert.deepEqual(
    examples.map(({ title }) => title),
    ['"Page", line 3', '"Further", line 14'],
  );
  assert.deepEqual(printedBy(examples[0]?.code ?? ""), ["1 …", "two"]);
});

test("what is said must be printed, whole lines, in this order", () => {
  const said = ["1 …", "two."];
  saysInOrder("1 or so\nelse\ntwo.\n", said);
  for (const printed of ["", "1 or so\n", "two.\n1 or so\n", "11\ntwo.\n", "1 or so\ntwo!\n"]) {
    assert.throws(() => saysInOrder(printed, said), /it does not print/, JSON.stringify(printed));
  }
});
