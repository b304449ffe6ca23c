// How well the classifier does, as far as the labels tell: accuracy, its interval, the learning curve.
import { drawn, find, make } from "./dom.js";
import { model, on } from "./model.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [300, 130, 34, 24, 8];

export function startLearning() {
  on("state", show);
  show();
}

function show() {
  const { learning, classes = [], counts = [] } = model.state ?? {};
  if (!learning) return;
  const examined = learning.examined;
  find("problem").textContent = learning.problem;
  find("hint").textContent = hint(learning, classes, counts);
  const bar = find("learning-bar"), reads = learning.unread > 0;
  const [done, total] = reads && learning.doing !== "learning" ? [learning.read, learning.unread] : [learning.done, learning.total];
  bar.hidden = learning.doing !== "learning" && !reads;
  find("learning-doing").textContent = bar.hidden ? "" : learning.doing === "learning" ? "learning …"
    : `computing features: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  if (total) bar.value = done / total;
  else bar.removeAttribute("value");
  const known = examined && examined.accuracy !== null;
  find("judged").hidden = !known;
  find("chip").textContent = known ? `${examined.accuracy.toFixed(0)} % correct` : "";
  find("unlike").disabled = learning.named === 0;
  if (!known) return;
  find("accuracy").textContent = `${examined.accuracy.toFixed(0)} %`;
  const [low, high] = examined.interval;
  find("interval").textContent = `${low.toFixed(0)} to ${high.toFixed(0)} %`;
  const apart = examined.left_out === "people" ? "people" : "recordings";
  find("judged-said").textContent = `correct, tested on ${examined.judged} labelled motions of ${apart} that it was not trained on`;
  find("curve").replaceChildren(...curve(examined));
  find("recalls").replaceChildren(...learning.classes.map((name, i) => {
    const recall = examined.recall[i];
    const bar = make("progress", { max: "100", value: recall ?? 0, "aria-label": `${name}: ${recall === null ? "unknown" : `${recall.toFixed(0)} %`}` });
    return make("li", {}, make("span", {}, name), bar, make("b", {}, recall === null ? "–" : `${recall.toFixed(0)} %`));
  }));
  const [worst] = examined.confusions;
  find("confused").textContent = worst ? `Most often confused: ${worst[0]} mistaken for ${worst[1]}.` : "";
}

function hint(learning, classes, counts) {
  if (!classes.length) return "Open a motion, press “l” and type what it is. Two classes with two examples each are enough to start.";
  if (classes.length === 1) return `Now label something that is not ${classes[0]}.`;
  const examined = learning.examined;
  if (examined && examined.accuracy === null) return "Give every class an example from a second recording, so that the classifier can be tested.";
  if (counts.some(count => count < 2)) return "A class with one example is learned, but cannot be tested.";
  return "";
}

function curve(examined) {
  const points = examined.curve, sizes = points.map(([size]) => Math.log(size));
  const low = Math.min(...sizes), high = Math.max(...sizes, low + 0.7);
  const x = size => LEFT + ((Math.log(size) - low) / (high - low)) * (WIDTH - LEFT - 12);
  const y = share => TOP + (1 - share / 100) * (HEIGHT - TOP - BOTTOM);
  const text = (at, down, words, anchor) => drawn("text", { x: at, y: down, "text-anchor": anchor }, words);
  const found = [0, 50, 100].flatMap(share => [
    drawn("line", { x1: LEFT, x2: WIDTH, y1: y(share), y2: y(share), class: "grid" }),
    text(LEFT - 5, y(share) + 4, String(share), "end"),
  ]);
  const [last] = points.slice(-1), [from, to] = examined.interval;
  found.push(drawn("line", { x1: x(last[0]), x2: x(last[0]), y1: y(from), y2: y(to), class: "whisker" }));
  found.push(drawn("polyline", { points: points.map(([size, share]) => `${x(size)},${y(share)}`).join(" "), class: "line" }));
  for (const [size, share] of points) {
    const dot = drawn("circle", { cx: x(size), cy: y(share), r: 3.5, class: "dot" });
    dot.append(drawn("title", {}, `${size} examples per class: ${share.toFixed(0)} % correct`));
    found.push(dot);
  }
  const ticks = [points[0], ...(points.length > 1 ? [last] : [])];
  found.push(...ticks.map(([size], i) => text(x(size), HEIGHT - 6, String(size), i ? "end" : "start")));
  found.push(text((LEFT + WIDTH) / 2, HEIGHT - 6, "examples per class", "middle"));
  return found;
}
