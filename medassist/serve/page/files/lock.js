// The lock of a page that nobody has touched for a while.

const SIGNS = ["pointerdown", "keydown", "wheel", "touchstart"];
const LOOK_MS = 5000;
const TELL_MS = 20_000;
const TOKEN = "medassist.token";
const TOUCHED = "medassist.touched";
const MINUTES = "medassist.minutes";

/** The token of this tab, for as long as the tab and the time before a lock last. */
export const kept = {
  get() {
    const [touched, minutes] = [TOUCHED, MINUTES].map((each) => Number(sessionStorage.getItem(each)));
    if (Date.now() - touched > minutes * 60_000) this.forget();
    return sessionStorage.getItem(TOKEN) ?? "";
  },
  set(token, minutes) {
    sessionStorage.setItem(TOKEN, token);
    sessionStorage.setItem(MINUTES, String(minutes));
    sessionStorage.setItem(TOUCHED, String(Date.now()));
  },
  forget() {
    for (const each of [TOKEN, TOUCHED, MINUTES]) sessionStorage.removeItem(each);
  },
};

export class IdleLock {
  #touched = Date.now();
  #told = 0;
  #watch = null;

  /**
   * @param {() => void} lock
   * @param {() => void} used called now and then while somebody is there
   */
  constructor(lock, used) {
    this.lock = lock;
    this.used = used;
    for (const sign of SIGNS) {
      addEventListener(sign, () => this.#touch(), { passive: true, capture: true });
    }
    // A computer that slept has run no timer: look when somebody is back.
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("focus", () => this.#look());
  }

  start(minutes) {
    this.minutes = minutes;
    this.#touched = Date.now();
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#look(), LOOK_MS);
  }

  stop() {
    clearInterval(this.#watch);
    this.#watch = null;
  }

  #touch() {
    if (this.#watch === null) return;
    this.#look(); // the first touch after the time is over does not open it again
    if (this.#watch === null) return;
    this.#touched = Date.now();
    sessionStorage.setItem(TOUCHED, String(this.#touched));
  }

  #look() {
    if (this.#watch === null) return;
    if (Date.now() - this.#touched < this.minutes * 60_000) {
      if (this.#touched > this.#told && Date.now() - this.#told > TELL_MS) {
        this.#told = Date.now();
        this.used();
      }
      return;
    }
    this.stop();
    this.lock();
  }
}
