// What admins do on the pool's page: drain and put back, change a rule and end that. overview.js keeps the list fresh.

import { ask, busy } from "./api.js";
import { section } from "./section.js";

const drain = document.getElementById("drain-form");
const override = document.getElementById("override-form");
const { act, api } = section("acts", "do it", "Do it");
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
