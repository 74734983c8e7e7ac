// Keeps parts of a page fresh while somebody looks at it: fetches the page again and takes over what differs.

import { showTimes } from "./times.js";

const parts = (root) => new Map([...root.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part]));

function focusedWithin(part) {
  return part.contains(document.activeElement) ? document.activeElement.id : "";
}

export class Fresh {
  #shown = new Map();
  #out = null;

  constructor(address, seconds, { headers = {}, taken = () => {}, lost = () => {} } = {}) {
    Object.assign(this, { address, seconds, headers, taken, lost });
    for (const [key, part] of parts(document)) this.#shown.set(key, part.innerHTML);
    setInterval(() => this.look(), seconds * 1000);
    document.addEventListener("visibilitychange", () => this.look());
  }

  async look() {
    if (document.visibilityState !== "visible" || this.#out) return;
    this.#out = this.#fetch();
    try {
      const text = await this.#out;
      if (text) this.#take(new DOMParser().parseFromString(text, "text/html"));
      this.lost(text ? "" : "This page is out of date. Reload it to go on.");
    } catch {
      this.lost("The server can't be reached now; this page goes on trying.");
    } finally {
      this.#out = null;
    }
  }

  // After something was done here: what is under way may still show how it was before.
  async again() {
    await this.#out?.catch(() => "");
    await this.look();
  }

  // The page's text; empty where another page answered, as after signing out.
  async #fetch() {
    const answer = await fetch(this.address, {
      headers: { Accept: "text/html", ...this.headers },
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(10_000),
    });
    if (answer.status >= 500) throw new Error(answer.statusText);
    return answer.ok ? answer.text() : "";
  }

  #take(page) {
    for (const [key, part] of parts(document)) {
      const newer = parts(page).get(key);
      if (newer && newer.innerHTML !== this.#shown.get(key)) {
        this.#shown.set(key, newer.innerHTML);
        const focused = focusedWithin(part);
        part.innerHTML = newer.innerHTML;
        showTimes(part);
        if (focused) document.getElementById(focused)?.focus();
      }
    }
    this.taken(page);
  }
}
