// Two runs on the same motions: where their neighbours differ, side by side.
import { ask } from "./api.js";
import { find, make } from "./dom.js";
import { emit, labelOf, model, nameOf, on, open, personOf, tellError, timesOf } from "./model.js";
import { begin, loadPlayer, scenesOf } from "./players.js";

const LISTED = 50;
const NEIGHBOURS = 6; // shown of each run
let asked = false;

export function startCompare() {
  if (!model.library.compared) return;
  const names = [model.library.run, model.library.other];
  names.forEach((name, run) => (find(`run-${run}-name`).textContent = name));
  on("view", () => model.view === "compare" && compare());
  on("current", () => model.view === "compare" && neighbours());
}

async function compare() {
  if (!asked) {
    asked = true;
    try {
      const found = await ask("/api/differences");
      const of = new Map(found.points.map((point, i) => [point, found.shared[i]]));
      model.differences = { of, neighbours: found.neighbours };
      emit("differences");
      list();
    } catch (error) {
      asked = false;
      tellError(error);
      return;
    }
  }
  if (model.current === null) open(order()[0]);
  else neighbours();
}

const order = () => [...model.differences.of.keys()].sort((one, other) => model.differences.of.get(one) - model.differences.of.get(other));

function list() {
  const { of, neighbours: all } = model.differences, shared = [...of.values()];
  const mean = shared.reduce((one, other) => one + other, 0) / shared.length;
  find("agreement").textContent = `On average ${mean.toFixed(1)} of the ${all} nearest motions are the same in both runs. `
    + "The greatest disagreement comes first; the map can be coloured by agreement.";
  find("disagreements").replaceChildren(...order().slice(0, LISTED).map(point => {
    const button = make("button", { type: "button" }, nameOf(point),
      make("small", {}, ` ${[timesOf(point), `${of.get(point)} of ${all}`].filter(Boolean).join(" · ")}`));
    button.dataset.point = point;
    button.addEventListener("click", () => open(point));
    return make("li", {}, button);
  }));
}

async function neighbours() {
  const point = model.current;
  if (point === null || !model.differences) return;
  for (const button of find("disagreements").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.point) === point));
  }
  try {
    const found = await Promise.all([0, 1].map(run => ask("/api/search", { point, count: NEIGHBOURS, run })));
    if (point !== model.current) return;
    const [one, other] = found.map(hits => new Set(hits.map(hit => hit.point)));
    await show(0, found[0], other);
    await show(1, found[1], one);
    const both = [...one].filter(each => other.has(each)).length;
    find("compared").textContent = `Nearest to ${nameOf(point)}: ${both} of ${NEIGHBOURS} are the same.`;
  } catch (error) {
    tellError(error);
  }
}

async function show(run, hits, others) {
  const scenes = await scenesOf(hits.map(hit => hit.point)), cards = find(`run-${run}-cards`);
  while (cards.children.length > hits.length) cards.lastChild.remove();
  hits.forEach((hit, i) => {
    const card = cards.children[i] ?? cards.appendChild(make("div", { class: "kineme-card" },
      make("button", { type: "button", class: "card-name" }), make("p")));
    loadPlayer(card, scenes[i], nameOf(hit.point));
    card.classList.toggle("shared", others.has(hit.point));
    const name = card.querySelector(".card-name"), person = personOf(hit.point);
    name.textContent = nameOf(hit.point);
    name.onclick = () => open(hit.point);
    const both = others.has(hit.point) ? "in both" : "in this run only";
    card.querySelector("p").textContent = [hit.similarity.toFixed(3), timesOf(hit.point), labelOf(hit.point), person && `person ${person}`, both].filter(Boolean).join(" · ");
  });
  const { gallery } = find(`run-${run}`);
  gallery.renew();
  begin(gallery);
}
