// A stream of server-sent events that comes back after anything in between was killed.
// A proxy may keep a stream open and silent after the pool behind it died, so silence counts as an end.

const SILENCE = 12_000;
const CONNECTING = 2_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 5_000;

export class Stream {
  #source = null;
  #heard = Date.now();
  #pause = FIRST_PAUSE;
  #waiting = false;

  // take(html), connected(), lost(words), signedOut(), check() -> a fetch that tells why a stream ended
  constructor(address, on) {
    Object.assign(this, { address, on });
    this.#open();
    setInterval(() => this.#look(), 1000);
    document.addEventListener("visibilitychange", () => this.#lookAgain());
    addEventListener("pagehide", () => this.#source.close());
    addEventListener("pageshow", (event) => event.persisted && this.#open());
  }

  #open() {
    this.#source?.close();
    this.#heard = Date.now();
    this.#source = new EventSource(this.address);
    this.#source.addEventListener("ticket", (event) => this.#hear(event.data));
    this.#source.addEventListener("heartbeat", () => this.#hear());
  }

  #hear(html) {
    this.#heard = Date.now();
    this.#pause = FIRST_PAUSE;
    this.on.connected();
    if (html) this.on.take(html);
  }

  #look() {
    const quiet = Date.now() - this.#heard;
    const ended = this.#source.readyState === EventSource.CLOSED;
    const cut = this.#source.readyState === EventSource.CONNECTING && quiet > CONNECTING;
    if (ended || cut || quiet > SILENCE) this.on.lost("Not connected to the pool; trying again.");
    if ((ended || quiet > SILENCE) && !this.#waiting) this.#openSoon();
  }

  // Somebody comes back to the page, perhaps from signing out elsewhere
  async #lookAgain() {
    if (document.visibilityState !== "visible") return;
    if (await this.#isSignedOut()) this.on.signedOut();
    else this.#look();
  }

  async #openSoon() {
    this.#waiting = true;
    await new Promise((resolve) => setTimeout(resolve, this.#pause));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    if (await this.#isSignedOut()) this.on.signedOut();
    else this.#open();
    this.#waiting = false;
  }

  async #isSignedOut() {
    try {
      return (await this.on.check()).status === 401;
    } catch {
      return false;
    }
  }
}
