// A recording over time: what is true, labelled and predicted; stretches are chosen, and edges dragged.
import { ask } from "./api.js";
import { find, make, seconds } from "./dom.js";
import { HUES } from "./colouring.js";
import { chooseStretch, model, moveEdge, on, tellError } from "./model.js";
import { begin, loadPlayer, sceneOfStretch } from "./players.js";

const ROWS = [["true", "in the store"], ["labels", "your labels"], ["predicted", "predicted"]];
const LEAST = 0.05; // seconds of a stretch
const FRAMES = 1; // that an arrow key moves an edge by

let row = null, told = null, predicted = [], player = null, zoom = 1;
const drawn = {}; // what each track shows

export function startRecording() {
  const { names } = model.library;
  find("recording-names").replaceChildren(...names.slice(0, 2000).map(name => make("option", { value: name })));
  const field = find("recording-name");
  field.addEventListener("change", () => {
    const found = names.indexOf(field.value);
    if (found >= 0) openRecording(found);
    else field.value = told?.name ?? "";
  });
  find("before").addEventListener("click", () => openRecording((row - 1 + names.length) % names.length));
  find("after").addEventListener("click", () => openRecording((row + 1) % names.length));
  find("stretch-similar").addEventListener("click", () => find("similar").click());
  find("time-closer").addEventListener("click", () => zoomTo(zoom * 2));
  find("time-farther").addEventListener("click", () => zoomTo(zoom / 2));
  find("time-whole").addEventListener("click", () => zoomTo(1));
  find("tracks").addEventListener("keydown", atKey);
  find("tracks").addEventListener("wheel", event => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoomTo(zoom * Math.exp(-event.deltaY * 0.005), event.clientX);
  }, { passive: false });
  listen();
  on("state", () => told && refresh());
  on("named", () => told && predict());
  on("stretch", showStretch);
  on("view", () => {
    if (model.view === "recording" && row === null) {
      openRecording(model.current === null ? 0 : model.library.recording[model.current]);
    }
    if (model.view !== "recording" && model.stretch) chooseStretch(null);
  });
}

export async function openRecording(number) {
  row = model.recording = number;
  chooseStretch(null);
  try {
    const found = await ask(`/api/recording/${number}`);
    if (row !== number) return;
    told = found;
    predicted = [];
    find("recording-name").value = told.name;
    find("recording-said").textContent = [seconds(told.seconds), told.person && `person ${told.person}`].filter(Boolean).join(" · ");
    zoomTo(1);
    draw();
    predict();
    const scene = await sceneOfStretch({ recording: number, start: 0, end: told.seconds });
    if (row !== number) return;
    player = loadPlayer(find("recording-player"), scene, told.name, { controls: true });
    begin(player);
    if (!player.followed) player.element.addEventListener("frame", () => at(player.frame / player.fps));
    player.followed = true;
    const colours = await ask(`/api/strip/${number}`);
    if (row === number) strip(colours);
  } catch (error) {
    tellError(error);
  }
}

async function refresh() {
  const number = row;
  const found = await ask(`/api/recording/${number}`).catch(tellError);
  if (!found || row !== number || JSON.stringify(found) === JSON.stringify(told)) return;
  told = found;
  draw();
}

async function predict() {
  const number = row;
  if (!model.state?.learning.examined) return;
  const found = await ask(`/api/predicted/${number}`).catch(tellError);
  if (!found || row !== number) return;
  predicted = found;
  draw();
}

const share = time => `${(100 * time) / told.seconds}%`;

function placed(element, start, end) {
  element.style.left = share(start);
  element.style.width = share(end - start);
  return element;
}

function draw() {
  const bands = { true: told.true, labels: told.labels, predicted };
  const names = [...new Set([...(model.state?.classes ?? []), ...ROWS.flatMap(([key]) => bands[key].map(band => band[2]))])];
  for (const [key, title] of ROWS) {
    const track = find(`track-${key}`);
    track.parentElement.hidden = key === "true" && !told.true.length;
    const tints = bands[key].map(([, , name]) => (name === model.library.none ? "band-none" : `band-${names.indexOf(name) % HUES}`));
    const shown = JSON.stringify([row, bands[key], tints]);
    if (drawn[key] === shown) continue; // what somebody drags, or moves by keys, stays under their hand
    drawn[key] = shown;
    track.replaceChildren(...bands[key].map(([start, end, name], i) => {
      const band = make("button", {
        type: "button", class: `band ${tints[i]}`, title: `${name}, ${start.toFixed(2)} to ${end.toFixed(2)} s`,
        "aria-label": `${title}: ${name}, ${start.toFixed(2)} to ${end.toFixed(2)} seconds`,
      }, name);
      band.addEventListener("click", event => {
        if (event.detail && dragged) return;
        chooseStretch({ recording: row, start, end });
        seek(start);
      });
      return placed(band, start, end);
    }));
    if (key === "labels") track.append(...told.labels.flatMap((band, i) => [edge(band, i, 0), edge(band, i, 1)]));
  }
  ruler();
  showStretch();
}

function redraw() { // labels as they are, after a drag that moved none
  drawn.labels = null;
  draw();
}

function edge(band, number, side) { // of a label, which can be dragged or moved by arrow keys
  const [start, end, name] = band;
  const handle = make("button", {
    type: "button", class: "edge",
    "aria-label": `${side ? "end" : "beginning"} of ${name}, ${band[side].toFixed(2)} seconds; arrow keys move it`,
  });
  handle.style.left = share(band[side]);
  const bounded = time => (side ? Math.max(start + LEAST, Math.min(told.seconds, time)) : Math.min(end - LEAST, Math.max(0, time)));
  const keep = async time => {
    const changed = side ? [start, bounded(time)] : [bounded(time), end];
    const old = { recording: row, start, end };
    if (await moveEdge(old, { recording: row, start: changed[0], end: changed[1] })) await refresh();
    else redraw();
    find("track-labels").querySelectorAll(".edge")[told.labels.findIndex(each => each[2] === name && Math.abs(each[side] - changed[side]) < 0.002) * 2 + side]?.focus();
  };
  handle.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    keep(band[side] + (step * FRAMES * (event.shiftKey ? 10 : 1)) / told.fps);
  });
  handle.addEventListener("pointerdown", event => {
    event.preventDefault();
    event.stopPropagation();
    handle.setPointerCapture(event.pointerId);
    const shown = find("track-labels").children[number];
    const move = moved => {
      const time = bounded(timeAt(moved.clientX));
      handle.style.left = share(time);
      placed(shown, side ? start : time, side ? time : end);
      seek(time);
      return time;
    };
    handle.onpointermove = move;
    handle.onpointerup = up => {
      handle.onpointermove = handle.onpointerup = null;
      keep(move(up));
    };
    handle.onpointercancel = redraw;
  });
  return handle;
}

function ruler() {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600];
  const width = find("tracks").clientWidth * zoom || 600;
  const step = steps.find(each => (each / told.seconds) * width >= 55) ?? 1200;
  const ticks = [];
  for (let time = 0; time <= told.seconds + 1e-6; time += step) {
    const tick = make("span", {}, step < 1 ? time.toFixed(1) : String(Math.round(time)));
    tick.style.left = share(time);
    ticks.push(tick);
  }
  find("ruler").replaceChildren(...ticks);
}

function strip(colours) {
  const canvas = find("strip"), context = canvas.getContext("2d");
  canvas.width = colours.length;
  canvas.height = 1;
  colours.forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect(i, 0, 1, 1);
  });
}

function zoomTo(wanted, clientX = null) {
  const tracks = find("tracks"), box = tracks.getBoundingClientRect();
  const about = clientX === null ? box.width / 2 : clientX - box.left;
  const time = (tracks.scrollLeft + about) / (tracks.clientWidth * zoom || 1);
  zoom = Math.max(1, Math.min(64, wanted));
  find("track-lines").style.width = `${100 * zoom}%`;
  tracks.scrollLeft = time * tracks.clientWidth * zoom - about;
  if (told) ruler();
}

function timeAt(clientX) {
  const box = find("track-lines").getBoundingClientRect();
  return Math.max(0, Math.min(told.seconds, (told.seconds * (clientX - box.left)) / box.width));
}

function at(time) {
  find("playhead").style.left = share(time);
  find("time-said").textContent = `${time.toFixed(2)} s`;
}

function seek(time) {
  if (!player) return;
  player.pause();
  player.seek(time * player.fps);
  at(time);
}

let dragged = false;
function listen() { // a click seeks, a drag chooses a stretch
  const lines = find("track-lines");
  let from = null;
  lines.addEventListener("pointerdown", event => {
    if (!told || event.button || event.target.closest(".edge")) return;
    from = [event.clientX, timeAt(event.clientX)];
    dragged = false;
  });
  lines.addEventListener("pointermove", event => {
    if (!from) return;
    if (!dragged && Math.abs(event.clientX - from[0]) < 5) return;
    if (!dragged) lines.setPointerCapture(event.pointerId);
    dragged = true;
    const [start, end] = [from[1], timeAt(event.clientX)].sort((one, other) => one - other);
    if (end - start >= LEAST && model.library.parts) chooseStretch({ recording: row, start, end });
    seek(timeAt(event.clientX));
  });
  lines.addEventListener("pointerup", event => {
    if (from && !dragged && !event.target.closest(".band")) {
      seek(timeAt(event.clientX));
      if (model.stretch) chooseStretch(null);
    }
    from = null;
  });
  lines.addEventListener("pointercancel", () => (from = null));
}

function atKey(event) { // arrows move the time, with Shift they choose a stretch from there
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !told || !player || event.target !== find("tracks")) return;
  event.preventDefault();
  const now = player.frame / player.fps, next = Math.max(0, Math.min(told.seconds, now + step * 0.1));
  if (event.shiftKey && model.library.parts) {
    const held = model.stretch ?? { start: now, end: now };
    const fixed = Math.abs(held.start - now) < Math.abs(held.end - now) ? held.end : held.start;
    const [start, end] = [fixed, next].sort((one, other) => one - other);
    if (end - start >= LEAST) chooseStretch({ recording: row, start, end });
  }
  seek(next);
}

function showStretch() {
  const { stretch } = model, mark = find("stretch");
  const shown = stretch !== null && told !== null && stretch.recording === row;
  mark.hidden = !shown;
  find("stretch-said").textContent = shown ? `selected: ${stretch.start.toFixed(2)} to ${stretch.end.toFixed(2)} s` : "drag over the timeline to select a part";
  find("stretch-similar").disabled = !shown;
  if (shown) placed(mark, stretch.start, stretch.end);
}
