// What admins do on the pool's page: drain and put back, change a rule and end that. overview.js keeps the list fresh.

import { ask, busy } from "./api.js";
import { confirmed } from "./confirm.js";
import { fresh } from "./overview.js";

const dialog = document.getElementById("acts-confirm");
const drain = document.getElementById("drain-form");
const override = document.getElementById("override-form");

function say(words, refused) {
  const problem = document.getElementById("acts-problem");
  document.getElementById("acts-said").textContent = words;
  problem.textContent = refused ? `${refused.detail} ${refused.remedy ?? ""}`.trim() : "";
  problem.hidden = !refused;
  if (refused) problem.scrollIntoView({ block: "nearest" }); // the form may have pushed it out of sight
}

// Asks first where promises would break; `send` takes what is accepted.
async function act(send, done) {
  say("");
  let { refused } = await send();
  if (refused?.confirm) {
    const question = refused.detail.replace(/\.$/, ": do it all the same?");
    if (!(await confirmed(dialog, question, "Do it"))) return false;
    ({ refused } = await send(refused.confirm));
  }
  say(refused ? "" : done, refused);
  if (!refused) await fresh.again();
  return !refused;
}

const { api } = dialog.dataset;
const moment = (field) => (field.value ? new Date(field.value).toISOString() : null);

function drained({ what, why, until }) {
  const [kind, ...name] = what.value.split(":");
  return { [kind]: name.join(":"), why: why.value, until: moment(until) };
}

function changed({ rule, project, user, flavour, value, why, until }) {
  return {
    rule: rule.value,
    name: user.disabled ? project.value : user.value.trim(),
    flavour: flavour.disabled ? "" : flavour.value,
    value: Number(value.value),
    why: why.value,
    until: moment(until),
  };
}

async function send(form, asked, done) {
  const post = (confirm) => ask("POST", api + form.dataset.path, { ...asked, ...(confirm && { confirm }) });
  if (await act(post, done)) form.elements.why.value = "";
}

async function end(button) {
  const { end: path, done } = button.dataset;
  const remove = (confirm) => ask("DELETE", `${api}${path}${confirm ? `?broken=${confirm.broken}` : ""}`);
  if (await act(remove, done)) document.getElementById("acts").focus(); // the button is gone
}

function showFields() {
  const { rule, project, user, flavour } = override.elements;
  const { of } = rule.selectedOptions[0].dataset;
  for (const [field, shown] of [[project, of !== "user"], [user, of === "user"], [flavour, of === "flavour"]]) {
    field.disabled = !shown;
    field.closest("[data-field]").hidden = !shown;
  }
}

function submits(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter, work);
  });
  form.closest("details").hidden = false;
}

submits(drain, () => send(drain, drained(drain.elements), "Drained."));
submits(override, () => send(override, changed(override.elements), "Changed."));
override.elements.rule.addEventListener("change", showFields);
showFields();
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-end]");
  if (button) busy(button, () => end(button));
});
