// What the page knows: the points, the labels, what has been learned, and what is being looked at.
import { ask, Refused, Unreachable, windowNumber } from "./api.js";
import { tell } from "./dom.js";

export const model = {
  library: null, // as told once
  state: null, // labels and learning, as told last
  named: null, // what the classifier says of every point
  labelOf: new Map(), // point → place in state.classes
  view: "map", // or recording, or compare
  recording: null, // the number of the one on the timeline
  current: null, // the point that is open
  stretch: null, // { recording, start, end } that is chosen on a timeline
  selection: new Set(), // of points
  target: "motion", // what a label is given to: motion, selection, kind or stretch
};

const events = new EventTarget();
export const on = (names, listener) => names.split(" ").forEach(name => events.addEventListener(name, listener));
export const emit = name => events.dispatchEvent(new Event(name));

let answered = 0; // changes that have been answered: what was asked before one is old
let namedNumber = 0;

function take(state) {
  if (state.classes === undefined) return; // nothing new
  model.state = state;
  model.labelOf = new Map(state.points.map((point, i) => [point, state.of[i]]));
  emit("state");
  const number = state.learning.named;
  if (number === namedNumber) return;
  namedNumber = number;
  ask("/api/named").then(named => {
    model.named = named.classes.length ? { ...named, unlike: new Set(named.none) } : null;
    emit("named");
  }, tellError);
}

export function tellError(error) {
  if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
  tell(error.message, error instanceof Unreachable);
}

let reachable = true;
export async function look() { // has anything changed, here or in another window?
  const before = answered;
  try {
    const seen = encodeURIComponent(model.state?.stamp ?? "");
    const state = await ask(`/api/state?window=${windowNumber}&seen=${seen}`);
    if (!reachable) tell("");
    reachable = true;
    if (before === answered) take(state);
  } catch (error) {
    reachable = false;
    tellError(error);
  }
}

async function change(path, body) {
  try {
    const state = await ask(path, { window: windowNumber, ...body });
    answered += 1;
    take(state);
    return true;
  } catch (error) {
    tellError(error);
    return false;
  }
}

export const setLabel = (target, name) => change("/api/label", { ...target, name });
export const undo = () => change("/api/undo", {});
export const moveEdge = (old, changed) => change("/api/edge", { old, new: changed });

export function open(point) {
  model.current = point;
  if (model.target !== "motion") aim("motion");
  emit("current");
}

export function select(points) {
  model.selection = new Set(points);
  aim(points.length ? "selection" : "motion");
  emit("selection");
}

export function chooseStretch(stretch) {
  model.stretch = stretch;
  aim(stretch ? "stretch" : "motion");
  emit("stretch");
}

export function aim(target) {
  model.target = target;
  emit("target");
}

export function pointsOfKind(kind) {
  return model.library.kind.flatMap((each, point) => (each === kind ? [point] : []));
}

export const nameOf = point => model.library.names[model.library.recording[point]];

export function timesOf(point) { // of a window; nothing of a whole clip
  const { start, end, window } = model.library;
  return window ? `${start[point].toFixed(1)} to ${end[point].toFixed(1)} s` : "";
}

export function personOf(point) {
  const { library } = model;
  return library.people[library.person[library.recording[point]]];
}

export function labelOf(point) {
  const place = model.labelOf.get(point);
  return place === undefined ? null : model.state.classes[place];
}

export function predictionOf(point) { // [class, probability], or null before there is a classifier
  const { named, library } = model;
  if (!named) return null;
  if (named.unlike.has(point)) return [library.none, null];
  return [named.classes[named.label[point]], named.probability[point]];
}

export async function begin() {
  model.library = await ask("/api/library");
  emit("library");
  await look();
  const again = async () => {
    if (document.visibilityState === "visible") await look();
    setTimeout(again, model.state?.learning.doing === "learning" ? 400 : 1000);
  };
  setTimeout(again, 500);
}
