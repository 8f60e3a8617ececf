// Elements, made one by one: no text ever becomes markup.

/**
 * An element.
 * @param {string} name
 * @param {Record<string, unknown>} [has] attributes; `class`, `text`, and `onclick` and
 *   its like are what they say; `false` and `null` leave an attribute out.
 * @param {...(Node | string | null | false)} inside
 */
export function el(name, has = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(has)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("aria-")) made.setAttribute(key, String(value));
    else if (value === false) continue;
    else if (key === "class") made.className = value;
    else if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...inside.filter((one) => one !== null && one !== false && one !== undefined));
  return made;
}

export const button = (text, onclick, has = {}) =>
  el("button", { type: "button", text, onclick, ...has });

/** What may stand in an answer; everything else is shown as text. */
const KNOWN = new Set(
  ("p h4 h5 h6 ul ol li blockquote pre code table thead tbody tr th td strong em s br hr "
    + "mark").split(" "),
);
const ALIGNED = new Set(["left", "center", "right"]);

/** The nodes of an answer as the server read them. */
export function built(nodes) {
  return nodes.map((node) => {
    if (typeof node === "string") return document.createTextNode(node);
    const [name, has, inside] = node;
    if (!KNOWN.has(name)) return el("span", {}, ...built(inside));
    const made = el(name, {}, ...built(inside));
    if (name === "ol" && Number.isInteger(has.start)) made.start = has.start;
    if (ALIGNED.has(has.align)) made.classList.add(`to-${has.align}`);
    if (name === "mark") made.classList.add(has.kind === "amount" ? "amount" : "part");
    if (name === "table" || name === "pre") {
      // A region that scrolls has to be reached by the keyboard.
      return el("div", { class: "scrolls", tabindex: "0", role: "group",
        "aria-label": name === "table" ? "Table" : "Text as it was written" }, made);
    }
    return made;
  });
}

export function replace(place, ...inside) {
  place.replaceChildren(...inside.filter(Boolean));
}
