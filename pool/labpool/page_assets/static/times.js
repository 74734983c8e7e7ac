// Shows the times of a page in the reader's own zone. The server writes them in UTC, for readers without scripts.

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const DAY = { weekday: "short", day: "numeric", month: "short", ...CLOCK };
const MINUTE = 60_000;

export function clock(moment, now = new Date()) {
  if (moment.toDateString() === now.toDateString()) return moment.toLocaleString([], CLOCK);
  return moment.toLocaleString([], moment.getFullYear() === now.getFullYear() ? DAY : { ...DAY, year: "numeric" });
}

export function left(moment, now = new Date()) {
  const minutes = Math.ceil((moment - now) / MINUTE);
  if (minutes <= 1) return "less than a minute left";
  const hours = Math.floor(minutes / 60);
  const parts = [hours ? `${hours} h` : "", minutes % 60 ? `${minutes % 60} min` : ""];
  return `${parts.filter(Boolean).join(" ")} left`;
}

// data-show: "left" for what remains, "by" for a promise (rounded up to the minute, so that it is never early).
function words(element, now) {
  const moment = new Date(element.dateTime);
  if (element.dataset.show === "left") return left(moment, now);
  if (element.dataset.show === "by") return clock(new Date(Math.ceil(moment / MINUTE) * MINUTE), now);
  return clock(moment, now);
}

export function showTimes(root, now = new Date()) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const said = words(element, now);
    if (element.textContent !== said) element.textContent = said;
    element.title = new Date(element.dateTime).toLocaleString([], { dateStyle: "full", timeStyle: "long" });
  }
}

export function keepTimes(root) {
  showTimes(root);
  setInterval(() => showTimes(root), MINUTE / 4);
}
