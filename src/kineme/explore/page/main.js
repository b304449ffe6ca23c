// Puts the page together, and the keys.
import { find, make, tell } from "./dom.js";
import { startCompare } from "./compare.js";
import { giveByKey, openNext, startLabelling, takeBack, give } from "./labelling.js";
import { startLearning } from "./learning.js";
import { setLasso, startMap } from "./map.js";
import { begin, emit, model, nameOf, on, select, tellError } from "./model.js";
import { startMotion } from "./motion.js";
import { openRecording, startRecording } from "./recording.js";
import { searchLike, showKind, showUnlike, startResults } from "./results.js";

const VIEWS = ["map", "recording", "compare"];

function view(name) {
  for (const each of VIEWS) {
    find(`${each}-view`).hidden = each !== name;
    find(`${each}-tab`).setAttribute("aria-selected", String(each === name));
    find(`${each}-tab`).tabIndex = each === name ? 0 : -1;
  }
  history.replaceState(null, "", `${location.search ? location.pathname + location.search : ""}#${name}`);
  document.body.dataset.view = model.view = name;
  emit("view");
}

function similar() {
  const { current, stretch, target } = model;
  if (stretch && target === "stretch") {
    const name = `${stretch.start.toFixed(1)} to ${stretch.end.toFixed(1)} s of ${model.library.names[stretch.recording]}`;
    searchLike({ stretch }, name);
  } else if (current !== null) searchLike({ point: current }, nameOf(current));
  else tell("Open a motion first: click a point of the map, or press n.");
}

function recording() {
  if (model.current === null) return;
  view("recording");
  openRecording(model.library.recording[model.current]);
}

function next() {
  if (model.view === "recording") view("map");
  openNext();
}

const toKind = () => model.current !== null && model.library.kind[model.current] && showKind(model.library.kind[model.current]);

function togglePlay() {
  const element = find("motion-player").querySelector(".kineme-player");
  if (element) element.player.playing ? element.player.pause() : element.player.play();
}

function toggleSelected() { // the open motion, into the selection or out of it
  if (model.current === null) return;
  const selected = new Set(model.selection);
  if (!selected.delete(model.current)) selected.add(model.current);
  select([...selected]);
}

const KEYS = {
  n: next,
  s: similar,
  u: takeBack,
  l: () => find("name").focus(),
  k: toKind,
  x: toggleSelected,
  o: () => showUnlike(),
  r: recording,
  m: () => { view("map"); find("plane").focus(); },
  c: () => model.library.compared && view("compare"),
  " ": togglePlay,
  "?": () => find("help").showModal(),
  Backspace: () => give(null),
  Escape: () => { setLasso(false); select([]); },
};

function listen() {
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || find("help").open) return;
    const { target } = event;
    if (target.matches("input:not([type=range], [type=checkbox], [type=radio]), select")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === " " && target.closest("button, canvas, input, a, summary")) return;
    const act = /^[1-9]$/.test(event.key) ? () => giveByKey(Number(event.key)) : KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  for (const name of VIEWS) find(`${name}-tab`).addEventListener("click", () => view(name));
  find("tabs").addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const shown = VIEWS.filter(name => !find(`${name}-tab`).hidden);
    const now = shown.findIndex(name => find(`${name}-tab`).getAttribute("aria-selected") === "true");
    const next = shown[(now + step + shown.length) % shown.length];
    view(next);
    find(`${next}-tab`).focus();
  });
  find("next").addEventListener("click", next);
  find("similar").addEventListener("click", similar);
  find("to-recording").addEventListener("click", recording);
  find("to-kind").addEventListener("click", toKind);
  find("unlike").addEventListener("click", showUnlike);
  find("help-button").addEventListener("click", () => find("help").showModal());
  on("current", () => {
    find("to-kind").disabled = model.current === null || !model.library.kind[model.current];
    find("welcome").hidden = true;
  });
}

async function start() {
  try {
    await begin();
  } catch (error) {
    tellError(error);
    return;
  }
  const { library } = model, points = library.x.length;
  document.title = `${library.store} – Kineme`;
  find("title").textContent = library.store;
  const what = library.window ? `windows of ${library.window} s` : "clips";
  find("subtitle").textContent = `${points.toLocaleString("en")} ${what} · model: ${library.run}`;
  find("labels-file").textContent = library.labels;
  find("compare-tab").hidden = !library.compared;
  startMap();
  startMotion();
  startResults();
  startLabelling();
  startLearning();
  startRecording();
  startCompare();
  listen();
  const wanted = location.hash.slice(1);
  view(VIEWS.includes(wanted) && (wanted !== "compare" || library.compared) ? wanted : "map");
  document.body.dataset.ready = "1";
  requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("first view"))); // the map is drawn
}

start();
