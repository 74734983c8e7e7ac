// The page of one ticket: shows what the pool says the moment it changes, and leads into JupyterLab when it can.

import { confirmed } from "./confirm.js";
import { keepTimes, showTimes } from "./times.js";
import { Stream } from "./stream.js";

const USED_RECENTLY = 120_000;
const NEWS_IS_LATE = 15_000;

const live = document.getElementById("ticket");
const said = document.getElementById("ticket-said");
const connection = document.getElementById("labpool-connection");
const problem = document.getElementById("ticket-problem");
const icon = document.querySelector('link[rel="icon"]');
const plainIcon = icon.href;
const token = document.querySelector('meta[name="xsrf-token"]').content;

let lastUsed = Date.now();
let wasWaiting = false;
let underWay = "";

for (const kind of ["pointerdown", "pointermove", "keydown", "focus", "scroll"])
  addEventListener(kind, () => (lastUsed = Date.now()), { passive: true });

const shown = () => live.firstElementChild;
const isUsed = () => document.visibilityState === "visible" && Date.now() - lastUsed < USED_RECENTLY;

const meant = ({ dataset }) => dataset.action + (dataset.body ?? "");

function look() {
  const { title, ready } = shown().dataset;
  document.title = title;
  icon.href = ready ? live.dataset.readyIcon : plainIcon;
  const words = [...shown().querySelectorAll("[data-say]")].map((part) => part.textContent.trim().replace(/\s+/g, " "));
  if (said.textContent !== words.join(" ")) said.textContent = words.join(" ");
  for (const button of live.querySelectorAll("[data-action]")) {
    button.disabled = Boolean(underWay);
    button.ariaBusy = String(meant(button) === underWay);
  }
  // by itself only for who waited here; who comes to look at a running server's ticket stays
  if (ready && wasWaiting && isUsed()) location.assign(shown().dataset.server);
  wasWaiting = !ready && Boolean(shown().dataset.waiting);
}

function take(html) {
  const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
  live.innerHTML = html;
  underWay = "";
  showTimes(live);
  look();
  if (focused) (document.getElementById(focused) ?? live).focus();
}

function say(element, words) {
  element.textContent = words;
  element.hidden = !words;
}

async function ask(action, body) {
  const answer = await fetch(`${live.dataset.api}/${action}`, {
    method: "POST",
    headers: { "X-XSRFToken": token, Accept: "application/json", ...(body && { "Content-Type": "application/json" }) },
    body,
    signal: AbortSignal.timeout(60_000),
  });
  if (answer.ok) {
    const { path } = await answer.json();
    if (path !== location.pathname) location.assign(path); // another ticket took its place
    return "";
  }
  const told = await answer.json().catch(() => ({ detail: "The pool can't be reached now.", remedy: "Try again in a moment." }));
  return `${told.detail} ${told.remedy ?? ""}`.trim();
}

async function press(button) {
  const { confirm } = button.dataset;
  if (confirm && !(await confirmed(document.getElementById("ticket-confirm"), confirm, button.textContent.trim()))) return;
  const { action, body } = button.dataset;
  underWay = meant(button);
  say(problem, "");
  look();
  const refused = await ask(action, body).catch(() => "The pool can't be reached now. Try again in a moment.");
  say(problem, refused);
  // done, it shows with the next news of the ticket; until then a second press would only be refused
  if (!refused) await new Promise((resolve) => setTimeout(resolve, NEWS_IS_LATE));
  underWay = "";
  look();
}

live.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) press(button);
});

keepTimes(live);
look();
new Stream(live.dataset.events, {
  take,
  connected: () => say(connection, ""),
  lost: (words) => say(connection, words),
  signedOut: () => (document.getElementById("ticket-signed-out").hidden = false),
  check: () => fetch(live.dataset.api, { headers: { "X-XSRFToken": token }, signal: AbortSignal.timeout(5000) }),
});
