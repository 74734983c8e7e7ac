// How somebody wants to be told: saves the form, confirms an address, shows a webhook's secret once.

import { ask, busy } from "./api.js";
import { fresh } from "./overview.js";

const form = document.getElementById("preferences-form");
const said = document.getElementById("preferences-said");
const problem = document.getElementById("preferences-problem");
const secret = document.getElementById("preferences-secret");
const question = document.getElementById("preferences-confirm");
const { api } = form.dataset;

function say(words, refused) {
  said.textContent = words;
  problem.textContent = refused ? `${refused.detail} ${refused.remedy ?? ""}`.trim() : "";
  problem.hidden = !refused;
}

function show(value) {
  secret.hidden = !value;
  secret.querySelector("code").textContent = value ?? "";
}

const chosen = (way) => [...form.querySelectorAll(`[name="${way}_kinds"]:checked`)].map((box) => box.value);

function wanted() {
  const { email, webhook_url, quiet_from, quiet_to, timezone } = form.elements;
  return {
    email: email?.value.trim() ?? "",
    email_kinds: chosen("email"),
    webhook_url: webhook_url.value.trim(),
    webhook_kinds: chosen("webhook"),
    quiet_from: quiet_from.value || null,
    quiet_to: quiet_to.value || null,
    timezone: timezone.value,
  };
}

async function act(method, path, done, body) {
  say("");
  const { answer, refused } = await ask(method, api + path, body);
  say(refused ? "" : done, refused);
  if (refused) return false;
  show(answer.webhook_secret);
  await fresh.again();
  return true;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(event.submitter, () => act("PUT", "", "Saved.", wanted()));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-post]");
  if (button) busy(button, () => act("POST", button.dataset.post, button.dataset.done));
});

question?.querySelector("button").addEventListener("click", async ({ target }) => {
  await busy(target, async () => {
    const token = new URLSearchParams(location.search).get("confirm");
    const confirmed = await act("POST", "/email/confirm", "Your address is confirmed.", { token });
    if (!confirmed) return;
    question.hidden = true;
    history.replaceState(null, "", location.pathname);
    document.getElementById("preferences-title").focus(); // the button is gone
  });
});

if (form.dataset.fresh) form.elements.timezone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
form.hidden = false;
