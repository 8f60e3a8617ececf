// The page from its first moment to its last: who is there, what is asked, what is drawn.

import { get, post, Refused, setToken } from "./api.js";
import { Asking, drawAnswers, health } from "./asking.js";
import { Consultation } from "./consultation.js";
import { asked, closeDialogs, differences, exportForm, identifiers, intendedUse } from "./dialogs.js";
import { history as historyOf } from "./history.js";
import { IdleLock, kept } from "./lock.js";
import { button, el, replace } from "./nodes.js";
import { Records } from "./records.js";
import { TurnView } from "./turns.js";
import { words } from "./words.js";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const SAID_MS = 8000;
const LOOK_AGAIN_MS = 1500;
const at = (id) => document.getElementById(id);

class Page {
  setup = null;
  consultation = null;
  blind = false;
  asking = null;
  views = new Map();
  state = "loading";
  records = new Records(this);
  lock = new IdleLock(() => this.locked(), () => this.records.used());
  #drawing = 0;
  #chips = null;

  async begin() {
    this.wire();
    const token = this.given() || kept.get();
    if (token) await this.enter(token);
    else this.login();
  }

  /** The token that stands in the address, which then holds it no longer. */
  given() {
    const token = location.hash.slice(1);
    if (location.hash) history.replaceState(null, "", location.pathname);
    return token;
  }

  wire() {
    at("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    at("question").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    at("question").addEventListener("input", () => this.fit());
    at("stop").addEventListener("click", () => this.stop());
    at("skip").addEventListener("click", (event) => {
      event.preventDefault(); // the part of the address behind # is the token's
      at("question").focus();
    });
    at("blind").addEventListener("click", () => this.toggleBlind());
    at("new").addEventListener("click", () => this.renew());
    at("history").addEventListener("click", () => this.history());
    at("export").addEventListener("click", () => this.export());
    at("lock").addEventListener("click", () => this.locked());
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
      if (this.asking) this.stop();
    });
    addEventListener("hashchange", () => {
      const token = this.given();
      if (token && !at("gate").hidden) this.enter(token);
    });
    addEventListener("beforeunload", (event) => {
      if (this.consultation?.turns.length && !this.records.keeps(this.consultation)) event.preventDefault();
    });
  }

  // Who is there

  login(sentence = "") {
    this.setup && this.lock.stop();
    at("skip").hidden = at("actions").hidden = at("composer").hidden = at("turns").hidden = true;
    replace(at("turns"));
    this.views.clear();
    closeDialogs();
    const field = el("input", { id: "token", type: "password", autocomplete: "off",
      spellcheck: "false", required: true, "aria-describedby": "token-help" });
    const waiting = this.consultation?.turns.length;
    replace(at("gate"), el("form", { class: "gate-card", onsubmit: (event) => {
      event.preventDefault();
      // A whole address may be pasted, as the server printed it.
      this.enter(field.value.trim().split("#").pop());
    } },
    el("img", { src: "/page/icon.svg", alt: "", width: 48, height: 48 }),
    el("h2", { text: waiting ? "Locked" : "Sign in" }),
    waiting && el("p", { text: "The consultation is kept in this page. The token of the same user shows it again." }),
    sentence && el("p", { class: "problem", role: "alert", text: sentence }),
    el("label", { for: "token", text: "Your token" }),
    field,
    el("p", { id: "token-help", class: "quiet", text: "The server printed it when it was started, behind the # of its "
      + "address, or whoever runs it gave it to you. It is kept in this tab alone and forgotten after ten idle minutes." }),
    el("button", { type: "submit", class: "primary", text: waiting ? "Unlock" : "Sign in" })));
    at("gate").hidden = false;
    this.chips();
    field.focus();
  }

  async enter(token) {
    setToken(token);
    let setup;
    try {
      setup = await get("/v1/page/setup");
    } catch (error) {
      setToken("");
      kept.forget();
      const wrong = error.status === 401;
      this.login(wrong ? "This token is not valid here." : error.message);
      return;
    }
    kept.set(token, setup.lock_minutes);
    if (!setup.accepted && !await this.accept(setup)) return;
    at("gate").hidden = true;
    replace(at("gate"));
    if (this.setup?.user !== setup.user) { // what stands there is somebody else's
      this.asking?.leave();
      this.asking = this.consultation = null;
      this.records.forget();
    }
    this.setup = setup;
    this.records.set(setup.records);
    at("history").hidden = setup.records === null;
    this.lock.start(setup.lock_minutes);
    at("skip").hidden = at("actions").hidden = at("composer").hidden = at("turns").hidden = false;
    at("send").textContent = setup.models.length > 1 ? "Ask both" : "Ask";
    at("question").placeholder = setup.models.length > 1
      ? "Write a question for both models" : "Write a question for the model";
    at("blind").hidden = setup.models.length < 2;
    this.consultation ??= new Consultation(setup, this.blind);
    this.show();
    this.watch();
    this.catchUp();
    at("question").focus();
    if (this.records.wereOpen && !this.records.isOpen) this.records.open(["They were locked with the page."]);
  }

  /** Draw what was answered while the page was locked. */
  async catchUp() {
    for (const turn of this.consultation.turns) {
      const missing = [...turn.sides.values()].some(({ answers }) => answers.some((one) => one.over
        && one.text.trim() && !one.blocks));
      if (!missing) continue;
      await drawAnswers(turn);
      this.draw();
    }
  }

  async accept(setup) {
    const yes = await intendedUse(setup.intended_use, this.host(setup));
    if (yes) {
      try {
        await post("/v1/page/accepted", { version: setup.intended_use.version });
      } catch (error) {
        if (error.status !== 500) {
          this.login(error.message);
          return false;
        }
        this.say(error.message);
      }
      return true;
    }
    setToken("");
    kept.forget();
    this.login("The page is used by those who accept what it is meant for.");
    return false;
  }

  locked() {
    this.records.lock();
    setToken("");
    kept.forget();
    document.title = "medassist";
    this.login();
  }

  /** From where answers come, where that is not this computer. */
  host(setup) {
    return setup.answers_from ?? (LOOPBACK.has(location.hostname) ? "" : location.hostname);
  }

  /** Look until the models are loaded: then they have their names. */
  async watch() {
    for (;;) {
      try {
        this.state = (await health()).status;
      } catch {
        this.state = "unreachable";
      }
      this.chips();
      if (this.state !== "loading") break;
      await new Promise((resolve) => { setTimeout(resolve, LOOK_AGAIN_MS); });
    }
    if (this.state !== "ok") return;
    try {
      Object.assign(this.setup, { models: (await get("/v1/page/setup")).models });
    } catch { /* it stays as it is known */ }
    this.draw();
    this.chips();
  }

  // What stands there

  chips() {
    const inside = at("gate").hidden && this.setup;
    const said = [];
    if (inside) {
      const host = this.host(this.setup);
      said.push(host ? el("li", { class: "chip warn", text: `answers come from ${host}` })
        : el("li", { class: "chip good", text: words.OFFLINE }));
      said.push(this.records.chip(this.consultation));
      if (this.state === "loading") said.push(el("li", { class: "chip works", text: "loading the models" }));
      if (this.state === "dead") said.push(el("li", { class: "chip bad", text: "the models are not loaded" }));
      if (this.state === "unreachable") said.push(el("li", { class: "chip bad", text: "the server cannot be reached" }));
      said.push(el("li", { class: "chip who", text: this.setup.user }));
      const unread = this.consultation?.turns.findLast(({ flags, flagsRead }) => flags.length && !flagsRead);
      if (unread) {
        said.push(el("li", {}, button(words.RED_FLAG, () => {
          this.views.get(unread)?.element.scrollIntoView({ block: "start" });
        }, { class: "chip bad", "aria-label": `${words.RED_FLAG}: show what is not marked as read` })));
      }
    }
    if (this.#chips !== said.map((one) => one.textContent).join()) {
      this.#chips = said.map((one) => one.textContent).join();
      replace(at("chips"), ...said);
    }
    at("chips").hidden = said.length === 0;
    const notice = inside ? this.setup.models.find((one) => one.notice)?.notice : "";
    at("reminder").textContent = notice || "Check every statement against a source that you trust, and decide yourself.";
    at("reminder").classList.toggle("warning", Boolean(notice));
  }

  /** Everything anew. */
  show() {
    this.views.clear();
    replace(at("turns"));
    this.draw();
    this.chips();
  }

  draw() {
    if (this.#drawing) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#drawNow();
    });
  }

  #drawNow() {
    const { consultation } = this;
    if (!consultation || !at("gate").hidden) return;
    const unread = consultation.lastTurn?.flags.length && !consultation.lastTurn.flagsRead;
    // What is unread stays in sight, however long the answers become.
    const follows = !unread && scrollY + innerHeight > document.documentElement.scrollHeight - 120;
    const turns = at("turns");
    if (!consultation.turns.length) {
      this.views.clear();
      replace(turns, this.welcome());
    } else {
      turns.querySelector(".welcome")?.remove();
      consultation.turns.forEach((turn, place) => {
        if (!this.views.has(turn)) {
          const view = new TurnView(turn, place + 1, consultation, this.does);
          this.views.set(turn, view);
          turns.append(view.element);
        }
        this.views.get(turn).update();
      });
      for (const [turn, view] of this.views) {
        if (consultation.turns.includes(turn)) continue;
        view.element.remove();
        this.views.delete(turn);
      }
    }
    const busy = this.asking !== null;
    at("stop").hidden = !busy;
    at("send").hidden = busy;
    at("blind").setAttribute("aria-pressed", String(consultation.blind));
    at("blind").textContent = consultation.blind && !consultation.hidden ? "Blind: names shown" : "Blind";
    at("blind").disabled = busy;
    at("export").disabled = busy || !consultation.turns.length;
    at("new").disabled = busy || !consultation.turns.length;
    document.body.classList.toggle("busy", busy);
    this.chips();
    if (follows && busy && consultation.turns.length) scrollTo({ top: document.documentElement.scrollHeight });
  }

  welcome() {
    const { consultation, setup } = this;
    const cards = consultation.sides.map((side) => {
      const model = consultation.hidden ? null : consultation.model(side);
      return el("div", { class: "card", "data-pane": model?.pane ?? "" },
        el("span", { class: "letter", text: side }),
        el("b", { text: model ? model.pane : words.NAME_HIDDEN }),
        el("span", { class: "quiet", text: model ? model.name : "shown once you have given a verdict" }));
    });
    return el("section", { class: "welcome", "aria-labelledby": "welcome" },
      el("h2", { id: "welcome", text: setup.models.length > 1
        ? "One question, two models, side by side" : "One question, one model" }),
      el("div", { class: `cards of-${cards.length}` }, ...cards),
      el("ul", { class: "points" },
        el("li", {}, el("b", { text: "Red flags first. " }), "Fixed rules read your question before any model does."),
        el("li", {}, el("b", { text: "Doses marked. " }), "Every amount is underlined, and what should be checked is said below."),
        this.records.about()));
  }

  say(sentence) {
    const line = el("p", {}, el("span", { text: sentence }),
      button("×", () => line.remove(), { "aria-label": "Close", class: "small" }));
    at("notices").append(line);
    setTimeout(() => line.remove(), SAID_MS);
  }

  status(sentence) {
    // The same sentence anew would be read out anew.
    if (at("status").textContent !== sentence) at("status").textContent = sentence;
  }

  fit() {
    const field = at("question");
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, innerHeight * 0.4)}px`;
  }

  // Asking

  async send() {
    const question = at("question").value.trim();
    if (!question || !this.setup) return;
    if (this.asking) {
      this.say("The answers are still being written; Esc stops them.");
      return;
    }
    const sent = await this.cleared(question);
    if (sent === null || this.asking) return;
    at("question").value = "";
    this.fit();
    this.consultation.ask(sent);
    await this.ask();
  }

  /** The question as it may leave this computer, and be kept; `null`: it may not. */
  async cleared(question) {
    const { consultation, records } = this;
    try {
      if (!this.setup.leaves) return await records.cleared(question, consultation);
      const { found, without } = await post("/v1/page/identifiers", { text: question });
      if (!records.isOpen) consultation.kept.unlooked = true;
      if (!found) return question;
      const outcome = await identifiers(found, "send");
      if (outcome !== null) records.decided(consultation, found, outcome);
      return outcome === null ? null : outcome === "replace" ? without : question;
    } catch (error) {
      this.failed(error);
      return null;
    }
  }

  async ask() {
    const { consultation } = this;
    const asking = new Asking(consultation, {
      changed: () => this.#told(asking), said: (sentence) => this.say(sentence),
    });
    this.asking = asking;
    this.draw();
    requestAnimationFrame(() => this.views.get(asking.turn)?.element.scrollIntoView({ block: "start" }));
    this.status("Asked.");
    try {
      await asking.run();
    } catch (error) {
      this.failed(error);
    } finally {
      if (this.asking === asking) this.asking = null;
      this.draw();
      drawAnswers(asking.turn).then(() => this.draw());
      this.records.save(consultation);
      if (document.activeElement === document.body) at("question").focus({ preventScroll: true });
    }
  }

  /** What a reader who does not see the page is told: the steps, not the words. */
  #told(asking) {
    const { turn } = asking;
    const names = [...turn.sides.keys()].map((side) => {
      const answer = turn.last(side);
      const state = answer.over ? (answer.failure ? "failed" : "done") : answer.state;
      return this.consultation.hidden && !answer.over ? "" : `${side}: ${state}`;
    }).filter(Boolean);
    const flags = turn.flags.length && !turn.flagsRead ? `${turn.flags.length} red flags. ` : "";
    this.status(flags + (names.join(", ") || "being answered"));
    this.draw();
  }

  stop(side = null) { this.asking?.stop(side); }

  failed(error) {
    if (!(error instanceof Refused)) throw error;
    this.records.heard(error);
    if (error.status === 401) {
      setToken("");
      kept.forget();
      this.login("This token is not valid any more.");
    } else {
      this.say(error.message);
    }
  }

  does = {
    read: () => {
      this.draw();
      at("question").focus({ preventScroll: true });
    },
    stop: (side) => this.stop(side),
    again: () => {
      if (this.asking) return;
      this.consultation.lastTurn.begin();
      this.ask();
    },
    leaveOut: () => {
      if (this.asking) return;
      const { turns } = this.consultation;
      const oldest = turns.slice(0, -1).find((turn) => !turn.leftOut);
      if (!oldest) return;
      oldest.leftOut = true;
      this.consultation.lastTurn.begin();
      this.ask();
    },
    takeBack: () => {
      const turn = this.consultation.lastTurn;
      const field = at("question");
      if (!turn.withdraw()) {
        this.draw();
        field.focus();
        return;
      }
      this.consultation.turns.pop();
      this.records.save(this.consultation);
      field.value = [turn.question, field.value].filter(Boolean).join("\n");
      this.fit();
      field.focus();
      this.draw();
    },
    shownChanged: async (turn) => {
      turn.apart = null;
      this.records.save(this.consultation);
      this.draw();
      if (!turn.answered) return;
      const [a, b] = ["A", "B"].map((side) => turn.shown(side).text);
      try {
        turn.apart = (await post("/v1/page/differences", { a, b })).apart;
      } catch { /* the button asks again */ }
      this.draw();
    },
    copy: async (text) => {
      try {
        await navigator.clipboard.writeText(text);
        this.status("Copied.");
        this.say("Copied. Other programs can read the clipboard.");
      } catch {
        this.say("The browser did not let the page copy; mark the text and copy it.");
      }
    },
    differences: async (turn) => {
      const [a, b] = ["A", "B"].map((side) => turn.shown(side).text);
      const names = ["A", "B"].map((side) => (this.consultation.hidden ? side
        : `${side} (${this.consultation.label(side)})`));
      try {
        await differences(await post("/v1/page/differences", { a, b }), names);
      } catch (error) {
        this.failed(error);
      }
    },
    judge: async (turn, { choice, reasons }) => {
      const { consultation } = this;
      const blind = consultation.hidden;
      if (blind) {
        try {
          consultation.reveal(await post(`/v1/compare/${consultation.drawnBy}/reveal`, {}));
        } catch (error) {
          this.failed(error);
          return;
        }
      }
      turn.verdicts.push({ choice, blind, given: new Date().toISOString(), reasons });
      this.status(words.VERDICT_GIVEN);
      this.draw();
      const saved = await this.records.save(consultation);
      // What models answered before it was opened again, only the records know.
      if (blind && saved && consultation.turns.some(({ wasKept }) => wasKept)) await this.#reopen(consultation.kept.id);
    },
  };

  // The consultation as a whole

  async renew() {
    if (this.asking || !await this.mayGo("A new one takes its place.", "Begin anew")) return;
    this.consultation = new Consultation(this.setup, this.blind);
    this.show();
    at("question").focus();
  }

  async mayGo(what, label) {
    if (!this.consultation.turns.length || this.records.keeps(this.consultation)) return true;
    const yes = await asked("New consultation", [
      el("p", { text: `This consultation is not saved. ${what}` }),
    ], [{ label: "Go on with this", value: false }, { label, value: true, kind: "primary" }]);
    return Boolean(yes);
  }

  async toggleBlind() {
    if (this.asking) return;
    const blind = !this.blind;
    if (this.consultation.turns.length
      && !await this.mayGo(`A new one begins, ${blind ? "with names hidden" : "with names shown"}.`, "Begin anew")) return;
    this.blind = blind;
    this.consultation = new Consultation(this.setup, blind);
    this.show();
    this.status(blind ? "Blind: names, speed and length are hidden until the verdict. The sides are drawn at random."
      : "Names are shown.");
    at("question").focus();
  }

  // The records

  /** Something of the records is another now. */
  recordsChanged() {
    this.show();
    this.status(this.records.isOpen ? "Your records are open." : "Your records are locked.");
  }

  /** Its words are others now: identifiers are gone from them. */
  reworded(consultation) {
    if (this.consultation !== consultation) return;
    this.show();
    this.catchUp();
  }

  /** Have this consultation kept, or say why it is not. */
  async keep() {
    const { records, consultation } = this;
    if (!records.isOpen) await records.open();
    else if (consultation.kept.declined) await records.keepAfterAll(consultation);
    else await records.save(consultation);
    if (consultation.kept.trouble) this.say(consultation.kept.trouble);
  }

  async history() {
    if (this.asking) {
      this.say("The answers are still being written; Esc stops them.");
      return;
    }
    if (!await this.records.open()) return;
    const { consultation } = this;
    const begun = () => {
      this.consultation = new Consultation(this.setup, this.blind);
      this.show();
    };
    const chosen = await historyOf(this.records, consultation.kept.id, {
      deleted: begun,
      deletedAll: () => {
        this.records.gone();
        consultation.kept.id = null;
        consultation.kept.behind = true;
        this.recordsChanged();
        this.say("All your records are deleted.");
      },
      failed: (error) => this.failed(error),
    });
    if (chosen && await this.mayGo("The one that you opened takes its place.", "Open it")) this.#adopt(chosen);
    at("question").focus();
  }

  async #reopen(id) {
    try {
      this.#adopt(await get(`/v1/records/consultations/${id}`));
    } catch (error) {
      this.failed(error);
    }
  }

  /** A consultation of the records takes the place of what stands there. */
  #adopt(chosen) {
    this.consultation = Consultation.reopened(this.setup, chosen);
    this.blind = this.consultation.blind;
    this.show();
    this.catchUp();
    if (!chosen.others) return;
    this.say(chosen.answered_by === null ? "Other models than those loaded now answered here. What you ask now goes to those loaded now."
      : `${chosen.answered_by.join(" and ")} answered here. What you ask now goes to ${this.setup.models.map(({ name }) => name).join(" and ")}.`);
  }

  async export() {
    const { consultation } = this;
    if (this.asking || !consultation.turns.length) return;
    const thinks = !consultation.hidden && consultation.turns.some((turn) => [...turn.sides.values()]
      .some(({ answers }) => answers.some(({ thought }) => thought.trim())));
    const chosen = await exportForm(thinks);
    if (!chosen) return;
    const body = { consultation: consultation.forExport(), ...chosen };
    try {
      let made = await post("/v1/page/export", body);
      if (made.found) {
        const outcome = await identifiers(made.found, "export");
        if (outcome === null) return;
        made = await post("/v1/page/export", { ...body, identifiers: outcome });
      }
      const address = URL.createObjectURL(new Blob([made.content], { type: made.type }));
      const link = el("a", { href: address, download: made.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
      this.say(`Exported as ${made.name}. The file is not encrypted.`);
    } catch (error) {
      this.failed(error);
    }
  }
}

new Page().begin();
