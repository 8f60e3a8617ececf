// A consultation in the memory of this page: turns, answers, verdicts. It draws nothing.

const SIDES = ["A", "B"];
const SEEDS = 2 ** 32 - 1;

export class Answer {
  constructor() {
    /** waiting, reading, writing, over */
    this.state = "waiting";
    this.text = "";
    this.thought = "";
    this.tokens = 0;
    this.thoughtTokens = 0;
    this.read = { done: 0, total: 0 };
    /** The answer as it is drawn, once it is over. */
    this.blocks = null;
    /** Its whole paragraphs as they are drawn while it is written, and their length. */
    this.begun = null;
    this.notices = [];
    this.ending = null;
    this.failure = "";
    this.figures = {};
    this.provenance = null;
  }

  get over() { return this.state === "over"; }

  /** Whether later questions are asked with it. */
  get counts() { return this.over && !this.failure && this.text.trim() !== ""; }

  /** An answer that was kept. */
  static kept(held) {
    const made = new Answer();
    Object.assign(made, {
      state: "over", text: held.text, thought: held.thought ?? "", ending: held.stop_reason,
      failure: held.failure, notices: held.notices, figures: held,
      tokens: held.tokens_written ?? 0, thoughtTokens: held.thought_tokens ?? 0,
      provenance: held.provenance ?? null,
    });
    return made;
  }

  fail(sentence) {
    if (this.over) return;
    this.state = "over";
    this.failure = sentence;
  }

  forExport() {
    const { figures } = this;
    return {
      text: this.text, thought: this.thought, stop_reason: this.failure ? null : this.ending,
      failure: this.failure.slice(0, 1000), seed: figures.seed ?? null,
      tokens_read: figures.tokens_read ?? 0, tokens_reused: figures.tokens_reused ?? 0,
      tokens_written: figures.tokens_written ?? 0,
      thought_tokens: figures.thought_tokens ?? 0,
      ttft_s: figures.ttft_s ?? null, tok_per_s: figures.tok_per_s ?? null,
      provenance: this.provenance,
    };
  }
}

export class Turn {
  constructor(question, sides) {
    this.question = question;
    this.sides = new Map(sides.map((side) => [side, { answers: [], shown: 0 }]));
    this.flags = [];
    this.flagsRead = false;
    /** Sentences on what was not checked. */
    this.notes = [];
    /** By id of what the server answered, the newest last. */
    this.id = null;
    this.queue = null;
    this.leftOut = false;
    this.verdicts = [];
    this.tooLong = [];
    /** It comes from the records: other models may have answered it than answer now. */
    this.wasKept = false;
  }

  /** A turn that was kept. */
  static kept(held) {
    const made = new Turn(held.question, Object.keys(held.sides).sort());
    for (const [side, { answers, shown }] of Object.entries(held.sides)) {
      made.sides.set(side, { answers: answers.map(Answer.kept), shown });
    }
    Object.assign(made, {
      flags: held.flags, leftOut: held.left_out, verdicts: held.verdicts, wasKept: true,
    });
    return made;
  }

  begin() {
    for (const held of this.sides.values()) {
      held.answers.push(new Answer());
      held.shown = held.answers.length - 1;
    }
    this.queue = null;
    this.tooLong = [];
  }

  /** Undo the last asking; whether nothing is left of the turn. */
  withdraw() {
    for (const held of this.sides.values()) {
      held.answers.pop();
      held.shown = Math.max(0, held.answers.length - 1);
    }
    this.tooLong = [];
    return [...this.sides.values()].every(({ answers }) => answers.length === 0);
  }

  last(side) { return this.sides.get(side)?.answers.at(-1); }

  shown(side) {
    const held = this.sides.get(side);
    return held?.answers[held.shown];
  }

  get over() { return [...this.sides.keys()].every((side) => this.last(side)?.over ?? true); }

  /** Every side has failed at last: it is asked again, or taken back. */
  get failed() {
    return this.sides.size > 0 && [...this.sides.keys()].every((side) => this.last(side)?.failure);
  }

  get answered() {
    return this.sides.size === 2 && SIDES.every((side) => this.shown(side)?.counts);
  }
}

export class Consultation {
  constructor(setup, blind) {
    this.created = new Date().toISOString();
    this.turns = [];
    this.setup = setup;
    this.blind = blind && setup.models.length > 1;
    /** Which model stands on side A; `null`: that is hidden. */
    this.sideA = this.blind ? null : "base";
    /** The comparison whose draw of the sides holds. */
    this.drawnBy = null;
    /** How it stands in the records of its user. */
    this.kept = {
      id: null,
      /** Something has come since it was kept last. */
      behind: false,
      /** The saving that runs. */
      saving: null,
      /** Why it could not be kept, in a sentence. */
      trouble: "",
      /** The user does not want it kept. */
      declined: false,
      /** Something of it was not looked through for identifiers. */
      unlooked: false,
      /** The user has said that identifiers may stand in it. */
      keepsIdentifiers: false,
      /** Warnings of identifiers that were decided on since it was kept last. */
      warned: [],
    };
  }

  /** A consultation of the records, to be read and gone on with. */
  static reopened(setup, { id, consultation: held, drawn_by: drawnBy }) {
    const made = new Consultation(setup, false);
    Object.assign(made, {
      created: held.created, blind: held.blind, sideA: held.side_a, drawnBy,
      turns: held.turns.map(Turn.kept),
    });
    Object.assign(made.kept, { id, keepsIdentifiers: held.keeps_identifiers });
    return made;
  }

  /** Take the words of `held`, from which identifiers are gone, for one's own. */
  reword(held) {
    held.turns.forEach((reworded, place) => {
      const turn = this.turns[place];
      turn.question = reworded.question;
      for (const [side, { answers }] of Object.entries(reworded.sides)) {
        answers.forEach(({ text, thought }, at) => {
          const answer = turn.sides.get(side).answers[at];
          if (answer.text === text) return;
          Object.assign(answer, { text, thought: thought ?? answer.thought, blocks: null, begun: null });
        });
      }
    });
  }

  get hidden() { return this.sideA === null; }
  get over() { return this.turns.every((turn) => turn.over); }
  get lastTurn() { return this.turns.at(-1); }

  get sides() {
    return this.hidden ? SIDES : this.setup.models.map(({ pane }) => this.side(pane)).sort();
  }

  /** The side of a pane as the server names it: a side itself, while names are hidden. */
  side(label) {
    if (SIDES.includes(label)) return label;
    return (label === "base") === (this.sideA === "base") ? "A" : "B";
  }

  /** How the server names a side. */
  label(side) {
    if (this.hidden) return side;
    const other = this.sideA === "base" ? "tuned" : "base";
    return side === "A" ? this.sideA : other;
  }

  model(side) {
    return this.setup.models.find(({ pane }) => pane === this.label(side));
  }

  ask(question) {
    const turn = new Turn(question, this.sides);
    this.turns.push(turn);
    turn.begin();
    return turn;
  }

  /** What the server is asked for the last turn. */
  request() {
    const own = Object.fromEntries(
      this.sides.map((side) => [this.label(side), this.#messages(side)]),
    );
    // The first question is the same for both, so that the sides can be drawn.
    const drawn = this.hidden && this.drawnBy !== null;
    const messages = this.hidden && !drawn ? Object.values(own)[0] : own;
    const again = this.lastTurn.sides.get(this.sides[0]).answers.length - 1;
    const sampling = again ? { seed: (this.setup.seed + again) % SEEDS } : {};
    return {
      messages, sampling, blind: this.hidden, ...(drawn ? { sides_of: this.drawnBy } : {}),
    };
  }

  #messages(side) {
    const said = [];
    for (const turn of this.turns.slice(0, -1)) {
      const answer = turn.shown(side);
      if (turn.leftOut || !answer?.counts) continue;
      said.push({ role: "user", content: turn.question });
      said.push({ role: "assistant", content: answer.text });
    }
    said.push({ role: "user", content: this.lastTurn.question });
    return said;
  }

  reveal({ sides, provenance }) {
    this.sideA = sides.A;
    for (const turn of this.turns) {
      for (const [side, { answers }] of turn.sides) {
        for (const answer of answers) answer.provenance ??= provenance[this.label(side)] ?? null;
      }
    }
  }

  /** What is kept: not what has failed, before it is asked again or taken back. */
  forKeeping() {
    const held = this.forExport();
    if (!this.lastTurn?.failed) return held;
    const last = held.turns.at(-1);
    for (const side of Object.values(last.sides)) {
      side.answers.pop();
      side.shown = Math.min(side.shown, side.answers.length - 1);
    }
    if (Object.values(last.sides).some(({ answers }) => !answers.length)) held.turns.pop();
    return held;
  }

  forExport() {
    const turns = this.turns.map((turn) => ({
      question: turn.question,
      flags: turn.flags.map(({ id, title, text, source }) => ({ id, title, text, source })),
      sides: Object.fromEntries([...turn.sides].map(([side, held]) => [
        side, { answers: held.answers.map((one) => one.forExport()), shown: held.shown },
      ])),
      left_out: turn.leftOut,
      verdicts: turn.verdicts,
    }));
    return { turns, created: this.created, side_a: this.sideA, blind: this.blind };
  }
}
