// A section of the pool's page in which something is done: asks before it is, and says what became of it.

import { confirmed } from "./confirm.js";
import { fresh } from "./overview.js";

// `name` is that of the section's elements, and `accepts` how it asks where promises would break.
export function section(name, accepts, yes) {
  const dialog = document.getElementById(`${name}-confirm`);
  const said = document.getElementById(`${name}-said`);
  const problem = document.getElementById(`${name}-problem`);

  function say(words, refused) {
    said.textContent = words;
    problem.textContent = refused ? `${refused.detail} ${refused.remedy ?? ""}`.trim() : "";
    problem.hidden = !refused;
    if (refused) problem.scrollIntoView({ block: "nearest" }); // the form may have pushed it out of sight
  }

  // `send` takes what was accepted, nothing at first; whether it was done.
  async function act(send, done) {
    say("");
    let { refused } = await send();
    if (refused?.confirm) {
      const question = refused.detail.replace(/\.$/, `: ${accepts} all the same?`);
      if (!(await confirmed(dialog, question, yes))) return false;
      ({ refused } = await send(refused.confirm));
    }
    say(refused ? "" : done, refused);
    if (!refused) await fresh.again();
    return !refused;
  }

  return { act, api: dialog.dataset.api, confirmed: (question, words) => confirmed(dialog, question, words) };
}
