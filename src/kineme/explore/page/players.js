// Skeletons: players that are made once and loaded again with other motions.
import { ask } from "./api.js";
import { make } from "./dom.js";

const known = new Map(); // point → scene, the latest last
const KEPT = 300;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export const begin = plays => calm.matches || plays.play(); // a player or gallery

export async function scenesOf(points) {
  const scenes = new Map(points.filter(point => known.has(point)).map(point => [point, known.get(point)]));
  const missing = points.filter(point => !scenes.has(point));
  if (missing.length) {
    const found = await ask("/api/scenes", { points: missing });
    missing.forEach((point, i) => scenes.set(point, found[i]));
  }
  scenes.forEach((scene, point) => known.set(point, scene));
  while (known.size > KEPT) known.delete(known.keys().next().value);
  return points.map(point => scenes.get(point));
}

export const sceneOf = async point => (await scenesOf([point]))[0];

export async function sceneOfStretch(stretch) {
  return (await ask("/api/scenes", { stretch }))[0];
}

export function makePlayer(scene, { controls = false, name = "motion" } = {}) {
  const canvas = make("canvas", { tabindex: "0", role: "img" });
  const bar = controls && make("div", { class: "kineme-bar" },
    make("button", { type: "button" }, "▶"),
    make("input", { type: "range", min: "0", max: String(scene.frames - 1), value: "0", "aria-label": "frame" }),
    make("output"));
  const element = make("figure", { class: "kineme-player" }, canvas, bar || null);
  Object.assign(element.dataset, scene, { autoplay: "1" });
  element.player = new globalThis.kineme.Player(element);
  nameIt(element, name);
  return element;
}

export function nameIt(element, name) {
  const how = "drag or use the arrow keys to turn it; space plays and pauses";
  element.querySelector("canvas").setAttribute("aria-label", `${name}: a moving skeleton; ${how}`);
}

export function loadPlayer(place, scene, name, options = {}) { // into a place, which may hold one
  let element = place.querySelector(".kineme-player");
  if (element) {
    element.player.load(scene);
    nameIt(element, name);
  } else {
    element = makePlayer(scene, { ...options, name });
    place.prepend(element);
  }
  return element.player;
}
