// The motion that is open: it plays, and what is known of it is told.
import { find, make, seconds } from "./dom.js";
import { wordsOf } from "./colouring.js";
import { model, nameOf, on, timesOf } from "./model.js";
import { begin, loadPlayer, sceneOf } from "./players.js";

export function startMotion() {
  on("current", show);
  on("state named", tell);
}

async function show() {
  const point = model.current;
  find("motion").hidden = point === null;
  if (point === null) return;
  tell();
  const scene = await sceneOf(point);
  if (point === model.current) begin(loadPlayer(find("motion-player"), scene, nameOf(point), { controls: true }));
}

function tell() {
  const point = model.current, { library } = model;
  if (point === null) return;
  find("motion-name").textContent = nameOf(point);
  find("motion-time").textContent = timesOf(point) || seconds(library.end[point]);
  find("motion-words").replaceChildren(
    ...wordsOf(point).flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]));
}
