// The spawn form: shows the chosen project's profiles, says when it ends and what it costs, keeps the counts fresh.

import { Fresh } from "./fresh.js";
import { clock, keepTimes } from "./times.js";

const HOUR = 3_600_000;
const REMEMBERED = "labpool-form";
const USUAL_GPU_HOURS = 4;

const form = document.getElementById("spawn_form");
const project = document.getElementById("labpool-project");
const hours = document.getElementById("labpool-hours");
const summary = document.getElementById("labpool-summary");
const groups = [...document.querySelectorAll("fieldset.labpool-profiles")];
let hoursAreMine = false;
let wanted = form.querySelector("input[name=profile]:checked")?.id;

const shownGroup = () => groups.find((group) => group.dataset.project === project.value);
const chosen = () => shownGroup()?.querySelector("input[name=profile]:checked");

function showProject() {
  for (const group of groups) {
    group.hidden = group.disabled = group !== shownGroup();
    group.classList.add("labpool-scripted");
  }
  if (!chosen()) {
    const same = wanted && document.getElementById(wanted)?.value;
    const offered = [...(shownGroup()?.querySelectorAll("input[name=profile]:enabled") ?? [])];
    choose(offered.find((input) => input.value === same) ?? offered[0]);
  }
  showSummary();
}

function choose(input) {
  if (!input) return;
  input.checked = true;
  wanted = input.id;
  const longest = Number(input.dataset.longest);
  const usual = Number(input.dataset.charge) ? Math.min(longest, USUAL_GPU_HOURS) : longest;
  if (!hoursAreMine) hours.value = usual;
  else if (Number(hours.value) > longest) hours.value = longest;
}

const gpuHours = (number) => `${+number.toFixed(2)} GPU-hour${+number.toFixed(2) === 1 ? "" : "s"}`;
const cost = (profile, asked) => Number(profile.dataset.charge) * asked;

// What the project has left, where that is less than the cost.
function lacking(profile, asked) {
  const { left, per } = shownGroup().dataset;
  if (left === undefined || cost(profile, asked) <= Number(left)) return "";
  const title = project.selectedOptions[0].textContent;
  const rest = Math.floor(Number(left) * 100) / 100;
  return `; ${title} has ${rest || "none"} left ${per === "day" ? "today" : `this ${per}`}`;
}

function tooDear(profile, asked) {
  const { budget, per } = shownGroup().dataset;
  return budget !== undefined && cost(profile, asked) > Number(budget)
    ? `That would cost ${gpuHours(cost(profile, asked))}, more than ${project.selectedOptions[0].textContent} has in a whole ${per}.`
    : "";
}

function showCosts() {
  const asked = Number(hours.value);
  for (const input of shownGroup()?.querySelectorAll("input[name=profile]") ?? []) {
    const place = input.closest("label").querySelector("[data-cost]");
    const words = asked > 0 && asked <= Number(input.dataset.longest) ? `, costs ${gpuHours(cost(input, asked))}` : "";
    if (place && place.textContent !== words) place.textContent = words;
  }
}

function whenItRuns(profile, asked) {
  const start = profile.dataset.start ? new Date(profile.dataset.start) : null;
  if (asked <= Number(profile.dataset.hoursNow)) return `Started now, it ends ${clock(new Date(Date.now() + asked * HOUR))}`;
  if (!start) return "You get a place in line";
  return `You get a place in line: a start at about ${clock(start)} or sooner. Started then, it ends ${clock(new Date(+start + asked * HOUR))}`;
}

function told(profile, asked) {
  if (!profile) return "Choose a profile.";
  const longest = Number(profile.dataset.longest);
  hours.max = longest;
  if (!(asked > 0)) return "Say for how many hours.";
  if (asked > longest) return `At most ${longest} hours with this profile.`;
  const price = cost(profile, asked) ? gpuHours(cost(profile, asked)) : "no GPU-hours";
  return tooDear(profile, asked) || `${whenItRuns(profile, asked)} and costs ${price}${lacking(profile, asked)}.`;
}

// The end moves on with the clock; only what the person changed is worth reading out.
function showSummary({ aloud = false } = {}) {
  showCosts();
  const words = told(chosen(), Number(hours.value));
  summary.ariaLive = aloud ? "polite" : "off";
  if (summary.textContent !== words) summary.textContent = words;
}

// A choice that can't be made any more is not changed for another one in silence, and comes back when it can.
function takeOver(page) {
  for (const input of form.querySelectorAll("input[name=profile]")) {
    const newer = page.getElementById(input.id);
    if (!newer) continue;
    input.disabled = newer.disabled;
    for (const key of ["start", "hoursNow"]) input.dataset[key] = newer.dataset[key] ?? "";
    if (input.disabled) input.checked = false;
    else if (input.id === wanted) input.checked = true;
  }
  for (const group of groups) {
    const newer = page.querySelector(`fieldset[data-project="${group.dataset.project}"]`);
    for (const key of ["left", "budget", "per"]) {
      if (newer?.dataset[key] === undefined) delete group.dataset[key];
      else group.dataset[key] = newer.dataset[key];
    }
  }
  showSummary();
}

function remember() {
  const asked = { address: location.pathname, project: project.value, profile: chosen()?.value, hours: hours.value };
  sessionStorage.setItem(REMEMBERED, JSON.stringify(asked));
}

// After a refusal the hub shows the form with its first values; the person's own come back.
function restore() {
  const asked = JSON.parse(sessionStorage.getItem(REMEMBERED) ?? "null");
  if (!document.getElementById("labpool-refusal") || asked?.address !== location.pathname) return;
  if ([...project.options].some((option) => option.value === asked.project)) project.value = asked.project;
  const profile = [...(shownGroup()?.querySelectorAll("input[name=profile]:enabled") ?? [])].find((input) => input.value === asked.profile);
  choose(profile);
  hours.value = asked.hours;
  hoursAreMine = true;
}

if (project) {
  restore();
  showProject();
  keepTimes(document);
  form.addEventListener("change", (event) => {
    if (event.target === project) showProject();
    if (event.target.name === "profile") choose(event.target);
    showSummary({ aloud: true });
  });
  hours.addEventListener("input", () => {
    hoursAreMine = true;
    showSummary({ aloud: true });
  });
  form.addEventListener("submit", () => {
    remember();
    const button = document.getElementById("labpool-start");
    button.disabled = true;
    button.textContent = "Starting…";
  });
  // Back from the ticket page: the browser shows the form as it was left
  addEventListener("pageshow", () => {
    const button = document.getElementById("labpool-start");
    button.disabled = false;
    button.textContent = "Start";
  });
  setInterval(() => showSummary(), 15_000);
  new Fresh(location.pathname, 10, { taken: takeOver });
  // A refused form leaves its token in the address; loaded again, that would be refused once more
  if (new URLSearchParams(location.search).has("_xsrf")) history.replaceState(null, "", location.pathname);
}
