// Making and cancelling reservations on the pool's page; the list itself is kept fresh by overview.js.

import { ask, busy } from "./api.js";
import { section } from "./section.js";

const form = document.getElementById("reserve-form");
const { act, api, confirmed } = section("reservations", "accept", "Accept");

function wanted() {
  const { project, flavour, devices, node, start, hours, timezone, repeat, last, title } = form.elements;
  const rule = repeat.value && last.value ? `${repeat.value};UNTIL=${last.value.replaceAll("-", "")}` : repeat.value;
  return {
    project: project.value || null,
    flavour: project.value && flavour.value,
    devices: project.value ? Number(devices.value) : 0,
    node: node.value,
    start: start.value,
    hours: Number(hours.value),
    timezone: timezone.value,
    repeat: rule || null,
    title: title.value,
  };
}

function reserve() {
  const asked = wanted();
  return act((confirm) => ask("POST", api, { ...asked, ...(confirm && { confirm }) }), "Reserved.");
}

async function cancel(button) {
  if (!(await confirmed(button.dataset.confirm, "Cancel it"))) return;
  const cancelled = await act(() => ask("DELETE", `${api}/${button.dataset.cancel}`), "The reservation is cancelled.");
  if (cancelled) document.getElementById("reservations").focus(); // the button is gone
}

function showFields() {
  const { project, flavour, devices, node, repeat, last } = form.elements;
  const maintenance = !project.value;
  for (const field of [flavour, devices]) {
    field.disabled = maintenance;
    field.closest("[data-field]").hidden = maintenance;
  }
  node.required = maintenance;
  last.disabled = !repeat.value;
  last.closest("[data-field]").hidden = !repeat.value;
}

function nextHour() {
  const at = new Date(Date.now() + 3_600_000);
  const local = new Date(at - at.getTimezoneOffset() * 60_000);
  return `${local.toISOString().slice(0, 13)}:00`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-cancel]");
  if (button) busy(button, () => cancel(button));
});

if (form) {
  form.elements.timezone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  form.elements.start.value = nextHour();
  form.addEventListener("change", showFields);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter, reserve);
  });
  showFields();
  document.getElementById("reserve").hidden = false;
}
