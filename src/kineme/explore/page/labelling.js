// Labels: given by a key or a name, to one motion, a selection, a kind, or a stretch of a recording.
import { counted, find, make, seconds, tell } from "./dom.js";
import { aim, labelOf, model, nameOf, on, open, pointsOfKind, select, setLabel, undo } from "./model.js";

const KEYS = 9;

export function startLabelling() {
  on("state target current selection stretch view", show);
  find("name-form").addEventListener("submit", event => {
    event.preventDefault();
    const field = find("name");
    if (!field.value.trim()) return;
    give(field.value.trim()).then(done => {
      if (done) field.value = "";
    });
  });
  find("unlabel").addEventListener("click", () => give(null));
  find("undo").addEventListener("click", takeBack);
  show();
}

function targets() { // what can be labelled now: [value, words, what is sent, how many]
  const { current, selection, stretch, library, recording, view } = model, found = [];
  if (view === "recording") {
    if (stretch) found.push(["stretch", `${seconds(stretch.start)} to ${seconds(stretch.end)}`, { stretch }, 1]);
    else if (!library.window) found.push(["motion", "the whole recording", { points: [recording] }, 1]);
    return found;
  }
  if (current !== null) found.push(["motion", "this motion", { points: [current] }, 1]);
  if (selection.size) {
    found.push(["selection", `the ${selection.size.toLocaleString("en")} selected`, { points: [...selection] }, selection.size]);
  }
  const kind = current === null ? 0 : library.kind[current];
  if (kind) {
    const points = pointsOfKind(kind);
    found.push(["kind", `all ${points.length.toLocaleString("en")} of kind ${kind}`, { points }, points.length]);
  }
  return found;
}

function aimed() {
  const offered = targets();
  return offered.find(([value]) => value === model.target) ?? offered[0];
}

export async function give(name) {
  const target = aimed();
  if (!target) {
    tell(model.view === "recording" ? "Select a part first: drag over the timeline." : "Open a motion first: click a point of the map, or press n.");
    return false;
  }
  const [value, words, sent, number] = target;
  const many = number > 50 && !confirm(`${name === null ? "Remove the labels of" : `Label`} ${number.toLocaleString("en")} motions${name === null ? "" : ` “${name}”`}?`);
  if (many || !(await setLabel(sent, name))) return false;
  tell(name === null ? `Label removed: ${words}.` : `“${name}”: ${words}.`);
  if (value === "selection") select([]);
  if (value === "kind") aim("motion");
  if (value === "motion" && model.view !== "recording" && name !== null && find("follow").checked) openNext();
  return true;
}

export function giveByKey(digit) {
  const name = model.state?.classes[digit - 1];
  if (name === undefined) tell(`There is no class ${digit} yet. Type a name for it.`);
  else give(name);
}

export async function takeBack() {
  if (!model.state?.undo) return;
  if (await undo()) tell("Undone.");
}

export function openNext() {
  const following = (model.state?.next ?? []).filter(point => labelOf(point) === null && point !== model.current);
  if (following.length) open(following[0]);
  else tell("There is nothing left to suggest.");
}

function show() {
  const offered = targets(), chosen = aimed();
  find("labelling").hidden = !offered.length && !model.state?.classes.length;
  find("targets").replaceChildren(...offered.map(([value, words]) => {
    const button = make("button", { type: "button", role: "radio", "aria-checked": String(value === chosen?.[0]) }, words);
    button.addEventListener("click", () => {
      aim(value);
      find("targets").querySelector("[aria-checked=true]")?.focus();
    });
    return button;
  }));
  const { classes = [], counts = [] } = model.state ?? {};
  const own = chosen?.[0] === "motion" ? labelOf(chosen[2].points[0]) : null;
  find("classes").replaceChildren(...classes.map((name, i) => make("button", {
    type: "button", class: "class", "aria-pressed": String(name === own), onclick: () => give(name),
  }, make("kbd", {}, i < KEYS ? String(i + 1) : "·"), make("span", {}, name), make("small", {}, String(counts[i])))));
  find("names").replaceChildren(...classes.map(name => make("option", { value: name })));
  find("undo").disabled = !model.state?.undo;
  const total = counts.reduce((one, other) => one + other, 0);
  find("labels-said").textContent = total ? counted(total, "label") : "no labels yet";
}
