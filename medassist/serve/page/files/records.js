// The records of this user: whether they are open, and what of the page stands in them.

import { get, lockRecords, post, Refused, setOpening } from "./api.js";
import { asked, identifiers } from "./dialogs.js";
import { button, el } from "./nodes.js";
import { passphrases } from "./passphrases.js";
import { words } from "./words.js";

const AGAIN_MS = 5000;
const TOO_LONG = "This consultation is too long to be kept as it is now; what was kept of it stays. "
  + "Export it, and begin a new one.";
const SAVED = "saved, encrypted";
const paragraphs = (...texts) => texts.map((text) => el("p", { text }));

const WHAT_THEY_ARE = [
  "What you ask and what is answered is then kept on the server's computer, encrypted under a "
    + "passphrase of your own. Without it nobody can read it there, whoever runs the server included.",
  "While your records are unlocked, whoever runs the server could read them all the same, by changing "
    + "the program or reading its memory. They lock when you lock or close the page, and after ten idle minutes.",
  "Nobody can recover the passphrase: there is no second key. Write it down and keep it in a safe "
    + "place. At least 8 characters; four or five words that do not belong together are better.",
];
const FORGOTTEN = [
  "Without its passphrase nobody can read what was kept: not you, and not whoever runs the server. "
    + "There is no second key.",
  "You can begin anew, with empty records under another passphrase. Those of before are put aside on the "
    + "server, unreadable as they are; if you find the passphrase, whoever runs the server can put them back.",
];
const NEW = [["new", "Passphrase"], ["again", "The same again"]];

export class Records {
  /** none, locked, open; `null`: this server keeps no records. */
  state = null;
  /** They were open before the page was locked. */
  wereOpen = false;
  #toldOfLanguage = false;
  #again = null;

  /** @param page what stands there, and how it is drawn */
  constructor(page) {
    this.page = page;
    // A page that is closed leaves no key behind.
    addEventListener("pagehide", () => this.lock());
  }

  get isOpen() { return this.state === "open"; }

  /** As the server has just said it. */
  set(state) {
    this.state = this.isOpen && state === "locked" ? "open" : state;
  }

  /** Somebody else is there now. */
  forget() {
    this.lock();
    this.wereOpen = this.#toldOfLanguage = false;
  }

  // How the consultation stands

  /** What the line at the top says of `consultation`: words, and how they look. */
  word(consultation) {
    const { kept } = consultation;
    if (!this.isOpen || kept.declined) return ["not saved", ""];
    if (kept.trouble) return ["NOT SAVED", "bad"];
    if (!consultation.turns.length) return ["records open", "good"];
    if (kept.saving || this.page.asking) return ["saving", "good"];
    if (consultation.lastTurn.failed) return ["last question not saved", "warn"];
    return kept.behind ? ["not saved", ""] : [SAVED, "good"];
  }

  /** The same for the head of the page: a button, where something can be done about it. */
  chip(consultation) {
    const [word, look] = consultation ? this.word(consultation) : ["not saved", ""];
    if (this.state === null || look === "good") return el("li", { class: `chip ${look}`, text: word });
    return el("li", {}, button(word, () => this.page.keep(), {
      class: `chip ${look}`, "aria-label": `${word}: keep this consultation`,
    }));
  }

  /** What is kept, for who has asked nothing yet. */
  about() {
    if (this.isOpen) {
      return el("li", {}, el("b", { text: "Kept for you alone. " }), "What you ask is encrypted under your passphrase; Records finds it again.");
    }
    const label = { locked: "Unlock my records", none: "Keep my consultations" }[this.state];
    return el("li", {}, el("b", { text: "Nothing kept. " }), "What stands here is gone when this page is closed, unless you export it. ",
      label && button(label, () => this.open(), { class: "small" }));
  }

  /** All of it is on the server's disk. */
  keeps(consultation) {
    return this.word(consultation)[0] === SAVED;
  }

  // Keeping

  /** Keep what has come, as far as the records are open. Whether all of it is kept. */
  async save(consultation) {
    const { kept } = consultation;
    kept.behind = true;
    if (!this.isOpen || kept.declined || this.page.asking) return false;
    kept.saving ??= this.#save(consultation).finally(() => {
      kept.saving = null;
      this.page.chips();
    });
    this.page.chips();
    return kept.saving;
  }

  async #save(consultation) {
    const { kept } = consultation;
    while (kept.behind) {
      kept.behind = false;
      const held = consultation.forKeeping();
      if (!held.turns.length) break;
      try {
        if (!await this.#send(consultation, held)) return false;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        kept.behind = true;
        this.#failed(consultation, error);
        return false;
      }
      if (kept.trouble) this.page.say("All of the consultation is saved again.");
      kept.trouble = "";
    }
    return true;
  }

  /** Whether it was kept; the user may not want that. */
  async #send(consultation, held) {
    const { kept } = consultation;
    const warned = kept.warned.slice();
    let decided = kept.unlooked ? "ask" : "decided";
    for (;;) {
      const done = await post("/v1/records/consultations", {
        consultation: held, id: kept.id, drawn_by: consultation.drawnBy, identifiers: decided, warned,
      });
      if (!done.found) {
        kept.id = done.id;
        kept.unlooked = false;
        kept.warned.splice(0, warned.length);
        if (done.consultation) {
          consultation.reword(done.consultation);
          this.page.reworded(consultation);
        }
        return true;
      }
      decided = await this.#decided(done.found);
      if (decided === null) {
        kept.behind = true;
        // A dialog that the lock has closed decides nothing.
        if (this.isOpen) kept.declined = true;
        return false;
      }
      if (decided === "keep" && done.found.kinds.length) kept.keepsIdentifiers = true;
    }
  }

  /** What is done with identifiers: keep, replace; `null`: it is not to be kept. */
  async #decided(found) {
    if (!found.kinds.length && this.#toldOfLanguage) return "keep";
    this.#toldOfLanguage ||= Boolean(found.language);
    return identifiers(found, "save");
  }

  #failed(consultation, error) {
    const { kept } = consultation;
    if (error.status === 401) {
      this.page.failed(error);
    } else if (error.code === "records_locked") {
      this.heard(error);
    } else if (error.status === 404 && kept.id !== null) {
      kept.id = null;
      kept.declined = true;
      this.page.say("This consultation was deleted from your records, and is not saved any more.");
    } else {
      const sentence = error.status === 413 ? TOO_LONG : error.message;
      if (kept.trouble !== sentence) this.page.say(sentence);
      kept.trouble = sentence;
      clearTimeout(this.#again);
      // Other refusals stay what they are.
      if (error.status && error.status < 500 && error.code !== "records_in_use") return;
      this.#again = setTimeout(() => {
        if (this.page.consultation === consultation) this.save(consultation);
      }, AGAIN_MS);
    }
  }

  /** The question as it may be kept; `null`: it is not to be asked so. */
  async cleared(question, consultation) {
    const { kept } = consultation;
    if (!this.isOpen || kept.declined) {
      kept.unlooked = true;
      return question;
    }
    if (kept.keepsIdentifiers) return question;
    const { found, without } = await post("/v1/page/identifiers", { text: question, done: "saved" });
    if (!found) return question;
    const decided = await this.#decided(found);
    if (decided === null) return null;
    this.decided(consultation, found, decided);
    return decided === "replace" ? without : question;
  }

  /** Remember what the user decided on identifiers in a question. */
  decided({ kept }, { kinds }, decided) {
    const outcome = decided === "replace" ? "replaced" : "kept";
    kept.warned.push(...kinds.map(({ kind, count }) => ({ kind, count, outcome })));
    if (decided === "keep" && kinds.length) kept.keepsIdentifiers = true;
  }

  // Opening and locking

  /** Begin or open the records; whether they are open now. */
  async open(saying = []) {
    if (this.isOpen) return true;
    try {
      this.set((await get("/v1/records")).state);
    } catch (error) {
      this.page.failed(error);
      return false;
    }
    const opening = this.state === "none" ? await this.#begin(false) : await this.#unlock(saying);
    if (!opening) return false;
    setOpening(opening);
    this.state = "open";
    this.wereOpen = true;
    const { consultation } = this.page;
    if (consultation.turns.length) this.save(consultation);
    this.page.recordsChanged();
    return true;
  }

  async #begin(anew) {
    return passphrases({
      title: anew ? "Begin anew" : "Keep your consultations",
      says: paragraphs(...(anew ? FORGOTTEN : WHAT_THEY_ARE)),
      fields: NEW, does: anew ? "Begin anew" : "Keep them from now on",
      act: async ({ new: passphrase }) => (await post("/v1/records", { passphrase, anew })).opening,
    });
  }

  async #unlock(saying) {
    const opening = await passphrases({
      title: "Unlock your records",
      says: paragraphs(...saying, this.page.consultation.turns.length
        ? "What stands on the page is kept too, once they are open."
        : "What you ask from then on is kept, and what you asked before can be read."),
      fields: [["old", "Passphrase"]], does: "Unlock", also: "Forgotten?",
      act: async ({ old: passphrase }) => (await post("/v1/records/unlock", { passphrase })).opening,
    });
    return opening === "also" ? this.#begin(true) : opening;
  }

  async changePassphrase() {
    const done = await passphrases({
      title: "Change the passphrase",
      says: paragraphs("Your records stay as they are; only their key is sealed anew. An older copy of it, in a "
        + "backup of the server for example, still opens with the older passphrase."),
      fields: [["old", "The passphrase until now"], ["new", "The new one"], ["again", "The new one again"]],
      does: "Change",
      act: async (typed) => (await post("/v1/records/passphrase", { old: typed.old, new: typed.new })).changed,
    });
    if (done) this.page.say("The passphrase is changed.");
  }

  /** Forget the key here, and have the server forget it. */
  lock() {
    if (!this.isOpen) return;
    lockRecords();
    this.state = "locked";
  }

  /** What a refusal tells of the records. */
  heard(error) {
    if (error.code === "records_locked" && this.isOpen) this.#wasLocked();
  }

  /** The server has forgotten the key by itself. */
  #wasLocked() {
    setOpening("");
    this.state = "locked";
    this.page.say("Your records are locked. What comes now is saved once you unlock them.");
    this.page.chips();
  }

  /** Tell the server that somebody is there, so that it does not forget the key. */
  async used() {
    if (!this.isOpen) return;
    try {
      const { state } = await get("/v1/records");
      if (state !== "open" && this.isOpen) this.#wasLocked();
    } catch { /* the next request tells it */ }
  }

  /** All is deleted. */
  gone() {
    setOpening("");
    this.state = "none";
    this.wereOpen = false;
  }

  /** Whether the consultation of the page is to be kept after all. */
  async keepAfterAll(consultation) {
    consultation.kept.declined = false;
    consultation.kept.unlooked = true;
    await this.save(consultation);
  }

  async mayDelete(texts) {
    return Boolean(await asked("Delete this consultation?", paragraphs(...texts, words.WHAT_DELETION_MEANS), [
      { label: "Keep it", value: false, kind: "primary" },
      { label: "Delete", value: true, kind: "danger" },
    ]));
  }

  async mayDeleteAll() {
    return Boolean(await asked("Delete all your records?", paragraphs(
      "Every consultation that you have kept is deleted, with the key that opens them.",
      "In backups and snapshots of the server, and on an SSD, older copies can stay. They are encrypted; whoever "
        + "has the passphrase of that time can read them. Exported files are not touched.",
    ), [
      { label: "Keep them", value: false, kind: "primary" },
      { label: "Delete all", value: true, kind: "danger" },
    ]));
  }
}
