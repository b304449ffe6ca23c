// What colours the points of the map: groups, their names, and how they look.
import { colour } from "./dom.js";
import { labelOf, model, predictionOf } from "./model.js";

export const HUES = 8;
export const SHAPES = ["●", "■", "▲", "◆"]; // as scatter.js draws them
const REST = -1; // the group of what is in none: grey

export function colourings() { // those that tell points apart, [value, title]
  const { library } = model;
  const several = (groups, names) => new Set(groups).size > 1 && names.length <= 400;
  const found = [["kind", "kind of motion"], ["label", "your labels"]];
  if (model.named) found.push(["prediction", "prediction"]);
  if (library.truths.length && library.truth.some(each => each >= 0)) found.push(["truth", "class in the store"]);
  if (several(library.person, library.people)) found.push(["person", "person"]);
  if (several(library.camera, library.cameras)) found.push(["camera", "camera"]);
  if (model.differences) found.push(["agreement", "agreement of the runs"]);
  return found;
}

export function groupsOf(by) { // { names, of: group of each point, -1 for the rest, rest: its name }
  const { library, named, state } = model, count = library.x.length;
  const each = of => Int32Array.from({ length: count }, (_, point) => of(point));
  const numbered = (title, name) => (name === "" ? "unknown" : /^\d+$/.test(name) ? `${title} ${name}` : name);
  switch (by) {
    case "kind": {
      const most = library.kind.reduce((one, other) => Math.max(one, other), 0);
      const names = Array.from({ length: most }, (_, i) => `kind ${i + 1}`);
      return { names, of: each(point => library.kind[point] - 1), rest: "in no kind" };
    }
    case "label": {
      return { names: state?.classes ?? [], of: each(point => model.labelOf.get(point) ?? REST), rest: "no label" };
    }
    case "prediction": {
      if (!named) return { names: [], of: each(() => REST), rest: "no prediction yet" };
      return {
        names: named.classes,
        of: each(point => (named.unlike.has(point) ? REST : named.label[point])),
        rest: library.none,
      };
    }
    case "truth":
      return { names: library.truths, of: each(point => library.truth[point]), rest: "unknown" };
    case "agreement": {
      const { of, neighbours } = model.differences;
      const names = ["none shared", "few shared", "about half shared", "most shared"];
      const group = shared => (shared === 0 ? 0 : shared < 0.35 * neighbours ? 1 : shared < 0.7 * neighbours ? 2 : 3);
      return { names, of: each(point => (of.has(point) ? group(of.get(point)) : REST)), rest: "not compared" };
    }
    default: {
      const [groups, names] = by === "person" ? [library.person, library.people] : [library.camera, library.cameras];
      return {
        names: names.map(name => numbered(by, name)),
        of: each(point => groups[library.recording[point]]),
        rest: "unknown",
      };
    }
  }
}

export const shapeOf = group => (group < 0 ? 0 : Math.floor(group / HUES) % SHAPES.length);

export function palette() { // [red, green, blue] of each hue, then of the rest
  const names = [...Array.from({ length: HUES }, (_, hue) => `series-${hue}`), "kineme-faint"];
  return names.map(name => {
    const digits = colour(name).slice(1);
    return [0, 2, 4].map(at => parseInt(digits.slice(at, at + 2), 16));
  });
}

export const hueOf = group => (group < 0 ? HUES : group % HUES);

export function groupOf(point, groups) {
  const group = groups.of[point];
  return group < 0 ? groups.rest : groups.names[group];
}

export function wordsOf(point) { // what is known of a motion, as [term, text]
  const { library } = model, words = [];
  const label = labelOf(point), prediction = predictionOf(point), truth = library.truths[library.truth[point]];
  if (label !== null) words.push(["your label", label]);
  if (prediction) {
    const [name, probability] = prediction;
    words.push(["prediction", probability === null ? name : `${name} (${Math.round(100 * probability)} %)`]);
  }
  if (truth !== undefined) words.push(["in the store", truth]);
  words.push(["kind", library.kind[point] ? String(library.kind[point]) : "in none"]);
  const person = library.people[library.person[library.recording[point]]];
  if (person) words.push(["person", person]);
  const camera = library.cameras[library.camera[library.recording[point]]];
  if (camera) words.push(["camera", camera]);
  return words;
}
