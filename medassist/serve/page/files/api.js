// The server's API: one token, JSON, and streams of events.

let token = "";
/** What the passphrase of the records gave; never kept anywhere else. */
let opening = "";

export const setToken = (given) => { token = given; };
export const setOpening = (given) => { opening = given; };

/** The server refused, or could not be reached; `message` is for the reader. */
export class Refused extends Error {
  constructor(message, status = 0, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const RECORDS = "/v1/records";

function headersFor(path, more = {}) {
  const headers = { Authorization: `Bearer ${token}`, ...more };
  if (opening && path.startsWith(RECORDS)) headers["Medassist-Opening"] = opening;
  return headers;
}

async function ask(method, path, body, signal, more) {
  const headers = headersFor(path, more);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, signal, credentials: "omit", cache: "no-store", redirect: "error",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused("The server cannot be reached. It may have been ended; what is on "
      + "this page stays until it is closed.");
  }
  if (answer.ok) return answer;
  let told = null;
  try {
    told = (await answer.json()).error;
  } catch { /* no JSON: only the status is known */ }
  const wait = answer.headers.get("Retry-After");
  const later = wait && answer.status !== 401 ? ` Try again in about ${wait} s.` : "";
  throw new Refused((told?.message ?? `The server answered ${answer.status}.`) + later,
    answer.status, told?.code ?? "");
}

export const get = async (path) => (await ask("GET", path)).json();
export const post = async (path, body) => (await ask("POST", path, body)).json();
export const remove = async (path) => (await ask("DELETE", path)).json();

/** Have the server forget the key of the records. It may be the page's last act. */
export function lockRecords() {
  if (!opening) return;
  const path = `${RECORDS}/lock`;
  fetch(path, {
    method: "POST", headers: headersFor(path, { "Content-Type": "application/json" }),
    body: "{}", keepalive: true, credentials: "omit", cache: "no-store", redirect: "error",
  }).catch(() => { /* ten idle minutes lock them, too */ });
  opening = "";
}

/** The events of a stream, as `[name, data]`, until it ends. */
export async function* stream(path, body, signal, headers) {
  const answer = await ask("POST", path, body, signal, headers);
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      let end;
      while ((end = rest.indexOf("\n\n")) >= 0) {
        const event = parsed(rest.slice(0, end));
        rest = rest.slice(end + 2);
        if (event) yield event;
      }
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused("The connection to the server broke off.");
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parsed(block) {
  let name = "message";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  return data ? [name, JSON.parse(data)] : null;
}
