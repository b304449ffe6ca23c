// Motions side by side, in step: what was found, what is selected, what is unlike all.
import { ask } from "./api.js";
import { counted, find, make } from "./dom.js";
import { labelOf, model, nameOf, on, open, personOf, pointsOfKind, predictionOf, select, tellError, timesOf } from "./model.js";
import { begin, loadPlayer, scenesOf } from "./players.js";

let shown = null; // { title, said, points, notes, again: asks anew, from a search }
let turn = 0;

export function startResults() {
  on("state named", notes);
  on("selection", () => {
    if (model.selection.size) showPoints(`${counted(model.selection.size, "selected motion")}`, [...model.selection]);
    else if (shown?.selection) close();
  });
  find("how-many").addEventListener("input", () => {
    find("how-many-said").textContent = find("how-many").value;
  });
  find("how-many").addEventListener("change", again);
  for (const choice of document.querySelectorAll("[name=people]")) choice.addEventListener("change", again);
  find("take-all").addEventListener("click", () => select(shown.points));
  find("close-results").addEventListener("click", close);
}

const limit = () => Number(find("how-many").value);
const again = () => shown?.again();

function close() {
  shown = null;
  find("results").hidden = true;
}

export async function searchLike(what, name) { // { point } or { stretch }
  const people = document.querySelector("[name=people]:checked").value;
  const own = ++turn;
  try {
    const found = await ask("/api/search", { ...what, count: limit(), people });
    if (own !== turn) return;
    await show({
      title: `Like ${name}`,
      said: `${counted(found.length, "motion")}, the nearest first, with their similarity (at most 1).`,
      points: found.map(each => each.point),
      notes: found.map(each => each.similarity.toFixed(3)),
      searched: true,
      again: () => searchLike(what, name),
    });
  } catch (error) {
    tellError(error);
  }
}

export function showPoints(title, points, said = "", notes = null) {
  const few = points.slice(0, limit());
  const more = points.length - few.length;
  const rest = more > 0 ? `${few.length} of them are shown.` : "";
  return show({
    title, said: [said, rest].filter(Boolean).join(" "), points: few, notes, selection: model.selection.size > 0,
    again: () => showPoints(title, points, said, notes),
  });
}

export function showKind(kind) {
  const points = pointsOfKind(kind);
  select(points);
}

export function showUnlike() {
  const { named } = model;
  if (!named) return;
  const points = named.novelty.map((far, point) => [far, point]).sort((one, other) => other[0] - one[0]);
  const said = named.rate === null
    ? "The least similar to all of your classes first. More labels are needed to decide which are none of them."
    : `The least similar to all of your classes first. ${counted(named.unlike.size, "motion")} in all ${named.unlike.size === 1 ? "is" : "are"} `
      + `classified as none of these, and so would about ${Math.round(100 * named.rate)} % of the motion that does belong to your classes.`;
  showPoints("None of these?", points.slice(0, 200).map(([, point]) => point), said,
    points.slice(0, 200).map(([far]) => `distance ${far.toFixed(2)}`));
}

async function show(what) {
  shown = what;
  const own = ++turn;
  const scenes = await scenesOf(what.points);
  if (own !== turn) return;
  find("results").hidden = false;
  find("results-title").textContent = what.title;
  find("results-said").textContent = what.said;
  find("choose-people").hidden = !what.searched || model.library.people.length < 2;
  const cards = find("results-cards");
  while (cards.children.length > what.points.length) cards.lastChild.remove();
  what.points.forEach((point, i) => {
    const card = cards.children[i] ?? cards.appendChild(make("div", { class: "kineme-card" },
      make("button", { type: "button", class: "card-name" }), make("p"), make("p", { class: "card-label" })));
    card.dataset.point = point;
    loadPlayer(card, scenes[i], nameOf(point));
    const name = card.querySelector(".card-name");
    name.textContent = name.title = nameOf(point);
    name.onclick = () => open(point);
  });
  notes();
  if (what.points.length) {
    const { gallery } = find("results-gallery");
    gallery.renew();
    begin(gallery);
  }
  if (innerWidth < 900) find("results").scrollIntoView({ block: "nearest" });
}

function notes() { // what is known of each now
  if (!shown) return;
  [...find("results-cards").children].forEach((card, i) => {
    const point = shown.points[i], label = labelOf(point), prediction = predictionOf(point);
    const person = personOf(point);
    card.querySelector("p").textContent = [shown.notes?.[i], timesOf(point), person && `person ${person}`].filter(Boolean).join(" · ");
    const said = card.querySelector(".card-label");
    said.textContent = label ?? (prediction ? `${prediction[0]}?` : "");
    said.classList.toggle("given", label !== null);
  });
}
