// The map of all motions: coloured, panned, zoomed, encircled; a motion under the pointer plays.
import { drawn, find, make } from "./dom.js";
import { colourings, groupOf, groupsOf, hueOf, palette, SHAPES, shapeOf } from "./colouring.js";
import { model, nameOf, on, open, select } from "./model.js";
import { loadPlayer, sceneOf } from "./players.js";
import { Scatter } from "./scatter.js";

const NEAR = 12; // pixels within which a point is meant
const PAUSE = 90; // milliseconds that the pointer rests before a motion plays

let scatter, groups, over = -1, lasso = null, encircles = false, alone = null;

export function startMap() {
  scatter = new Scatter(find("plane"));
  scatter.changed = mark;
  const { x, y, side } = model.library;
  const places = new Float32Array(2 * x.length);
  for (let i = 0; i < x.length; i++) [places[2 * i], places[2 * i + 1]] = [x[i] / side, y[i] / side];
  scatter.set(places);
  globalThis.kineme.map = scatter; // for tests and the curious
  offerColours();
  paint();
  listen();
  on("state named differences", () => {
    offerColours();
    if (["label", "prediction", "agreement"].includes(find("colour").value)) paint();
  });
  on("selection", paint);
  on("current", () => {
    if (model.current !== null) scatter.show(model.current);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

function offerColours() {
  const choice = find("colour"), chosen = choice.value;
  const offered = colourings();
  if (choice.options.length === offered.length) return;
  choice.replaceChildren(...offered.map(([value, title]) => make("option", { value }, title)));
  if (offered.some(([value]) => value === chosen)) choice.value = chosen;
}

function paint() {
  groups = groupsOf(find("colour").value);
  if (alone !== null && alone >= groups.names.length) alone = null;
  const inks = palette(), count = scatter.count, { selection } = model;
  const colours = new Uint8Array(4 * count), shapes = new Uint8Array(count);
  for (let point = 0; point < count; point++) {
    const group = groups.of[point];
    colours.set(inks[hueOf(group)], 4 * point);
    const dim = (alone !== null && group !== alone) || (selection.size && !selection.has(point));
    colours[4 * point + 3] = alone !== null && group !== alone ? 30 : dim ? 70 : group < 0 ? 140 : 225;
    shapes[point] = shapeOf(group);
  }
  scatter.paint(colours, shapes);
  legend();
}

function legend() {
  const counts = new Map();
  for (const group of groups.of) counts.set(group, (counts.get(group) ?? 0) + 1);
  const order = [...groups.names.keys(), -1].filter(group => counts.get(group));
  find("legend").replaceChildren(...order.map(group => {
    const mark = make("span", { class: `hue-${hueOf(group)}`, "aria-hidden": "true" }, SHAPES[shapeOf(group)]);
    const button = make("button", { type: "button", "aria-pressed": String(alone === group) }, mark,
      ` ${group < 0 ? groups.rest : groups.names[group]} `, make("small", {}, counts.get(group).toLocaleString("en")));
    button.addEventListener("click", () => {
      alone = alone === group ? null : group;
      paint();
      find("legend").children[order.indexOf(group)]?.firstChild.focus();
    });
    return make("li", {}, button);
  }));
}

function mark() { // rings about what is meant, and the outline that is being drawn
  const marks = find("marks");
  const ring = (point, name, radius) => {
    const [x, y] = scatter.toScreen(scatter.places[2 * point], scatter.places[2 * point + 1]);
    return drawn("circle", { cx: x, cy: y, r: radius + scatter.size / 2, class: name });
  };
  const shown = [];
  if (model.current !== null) shown.push(ring(model.current, "current", 5));
  if (over >= 0) shown.push(ring(over, "over", 3));
  if (lasso) shown.push(drawn("polygon", { points: lasso.map(place => place.join(",")).join(" "), class: "lasso" }));
  marks.replaceChildren(...shown);
  place();
}

let resting;
function hover(point) {
  if (point === over) return;
  over = point;
  mark();
  clearTimeout(resting);
  const box = find("hover");
  if (point < 0) {
    box.hidden = true;
    return;
  }
  resting = setTimeout(async () => {
    const scene = await sceneOf(point);
    if (over !== point) return;
    box.hidden = false;
    loadPlayer(box, scene, nameOf(point)).play();
    box.querySelector("p").textContent = `${groupOf(point, groups)} · ${nameOf(point)}`;
    place();
  }, PAUSE);
}

function place() { // the small player beside its point, within the map
  const box = find("hover");
  if (box.hidden || over < 0) return;
  const [x, y] = scatter.toScreen(scatter.places[2 * over], scatter.places[2 * over + 1]);
  const { clientWidth: width, clientHeight: height } = scatter.canvas;
  const left = x + 16 + box.offsetWidth > width ? x - 16 - box.offsetWidth : x + 16;
  box.style.left = `${Math.max(0, Math.min(width - box.offsetWidth, left))}px`;
  box.style.top = `${Math.max(0, Math.min(height - box.offsetHeight, y - box.offsetHeight / 2))}px`;
}

export function setLasso(wanted) {
  encircles = wanted;
  find("lasso").setAttribute("aria-pressed", String(wanted));
  find("plane").classList.toggle("encircles", wanted);
}

function listen() {
  const canvas = find("plane"), touched = new Map();
  let from = null, moved = false;
  const at = event => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    touched.set(event.pointerId, at(event));
    from = at(event);
    moved = false;
    if ((encircles || event.shiftKey) && touched.size === 1) lasso = [from];
    else lasso = null;
  });
  canvas.addEventListener("pointermove", event => {
    const now = at(event);
    if (!touched.has(event.pointerId)) {
      if (event.pointerType === "mouse") hover(scatter.nearest(...now, NEAR));
      return;
    }
    const before = touched.get(event.pointerId);
    if (touched.size === 2) { // pinched
      const [other] = [...touched].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = place => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      scatter.zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      moved = true;
    } else {
      moved ||= Math.hypot(now[0] - from[0], now[1] - from[1]) > 4;
      if (lasso) {
        lasso.push(now);
        mark();
      } else if (moved) {
        hover(-1);
        scatter.panBy(now[0] - before[0], now[1] - before[1]);
      }
    }
    touched.set(event.pointerId, now);
  });
  const end = event => {
    if (!touched.delete(event.pointerId) || touched.size) return;
    if (lasso && moved) {
      const outline = lasso;
      lasso = null;
      select(scatter.inside(outline));
      setLasso(false);
    } else if (!moved && event.type === "pointerup") {
      const point = scatter.nearest(...at(event), NEAR);
      if (point >= 0) open(point);
      else if (model.selection.size) select([]);
    }
    lasso = null;
    mark();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    scatter.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", event => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (ways[event.key]) {
      const next = scatter.towards(over >= 0 ? over : model.current ?? 0, ...ways[event.key]);
      if (next >= 0) {
        scatter.show(next);
        hover(next);
      }
    } else if (event.key === "Enter" && over >= 0) open(over);
    else if (event.key === "+" || event.key === "=") scatter.zoomBy(1.4);
    else if (event.key === "-") scatter.zoomBy(1 / 1.4);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("blur", () => hover(-1));
  find("colour").addEventListener("change", () => {
    alone = null;
    paint();
  });
  find("lasso").addEventListener("click", () => setLasso(!encircles));
  find("closer").addEventListener("click", () => scatter.zoomBy(1.6));
  find("farther").addEventListener("click", () => scatter.zoomBy(1 / 1.6));
  find("whole").addEventListener("click", () => scatter.whole());
}
