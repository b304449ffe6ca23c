// Requests to the server, with the token of the link.
const token = new URLSearchParams(location.search).get("token");

// This window, for undo: kept while the tab is, also when the page is loaded again.
const kept = Number(sessionStorage.getItem("window"));
export const windowNumber = kept || 1 + Math.floor(Math.random() * 2 ** 40);
sessionStorage.setItem("window", String(windowNumber));

export class Refused extends Error {} // by the server, in words for the reader
export class Unreachable extends Error {}

export async function ask(path, body = undefined) {
  const asked = { headers: { Authorization: `Bearer ${token}` } };
  if (body !== undefined) {
    asked.method = "POST";
    asked.headers["Content-Type"] = "application/json";
    asked.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, asked);
  } catch {
    throw new Unreachable("Kineme has stopped. Start it again to continue; all labels shown are saved.");
  }
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new Refused(typeof told.detail === "string" ? told.detail : `the server answered ${answer.status}`);
}
