"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const told = element => JSON.parse(element.querySelector("script[type='application/json']").textContent);
  const rounded = value => String(Number(value.toPrecision(4)));

  function readable(figure) { // a chart: a cursor reads off all lines under the pointer
    const { x: [low, high, start, end], label, unit, series } = told(figure);
    const svg = figure.querySelector("svg"), cursor = svg.querySelector(".cursor");
    const output = figure.querySelector("output");
    svg.addEventListener("pointermove", event => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
      const wanted = low + ((Math.max(start, Math.min(end, at)) - start) / (end - start)) * (high - low);
      const read = series.map(({ name, x, y }) => {
        const i = x.reduce((best, value, j) => (Math.abs(value - wanted) < Math.abs(x[best] - wanted) ? j : best), 0);
        return { name, x: x[i], y: y[i] };
      });
      const nearest = read.reduce((a, b) => (Math.abs(b.x - wanted) < Math.abs(a.x - wanted) ? b : a)).x;
      const place = start + ((nearest - low) / (high - low || 1)) * (end - start);
      cursor.setAttribute("x1", place);
      cursor.setAttribute("x2", place);
      output.textContent =
        `${label} ${rounded(nearest)}: ` + read.map(({ name, y }) => `${name} ${rounded(y)}${unit}`).join(", ");
    });
    svg.addEventListener("pointerleave", () => {
      cursor.setAttribute("x1", -9);
      cursor.setAttribute("x2", -9);
      output.textContent = "";
    });
  }

  function pointed(element) { // a confusion matrix: the text of the cell under the pointer, below it
    const output = element.querySelector("output");
    element.querySelector("svg").addEventListener("pointerover", event => {
      const title = event.target.closest("rect")?.querySelector("title");
      if (title) output.textContent = title.textContent;
    });
  }

  const SHAPES = [ // around (0, 0), about as large as a circle of radius 1
    path => path.arc(0, 0, 1, 0, 2 * Math.PI),
    path => path.rect(-0.9, -0.9, 1.8, 1.8),
    path => polygon(path, [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]]),
    path => polygon(path, [[0, -1.3], [1.1, 0], [0, 1.3], [-1.1, 0]]),
    path => polygon(path, [[0, 1.2], [1.1, -0.8], [-1.1, -0.8]]),
    path => polygon(path, [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2],
      [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]),
    path => polygon(path, spread(10, i => (i % 2 ? 0.55 : 1.35))),
    path => polygon(path, spread(5, () => 1.15)),
  ];

  function polygon(path, corners) {
    corners.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
    path.closePath();
  }

  function spread(count, radius) {
    return Array.from({ length: count }, (_, i) => {
      const angle = (2 * Math.PI * i) / count - Math.PI / 2;
      return [radius(i) * Math.cos(angle), radius(i) * Math.sin(angle)];
    });
  }

  class Atlas { // the map of the clips
    constructor(element) {
      const { points, colourings, hues } = told(element);
      this.element = element;
      this.points = points;
      this.colourings = colourings;
      this.colouring = 0; // which groups colour the points
      this.hues = hues;
      this.canvas = element.querySelector(".plane canvas");
      this.output = element.querySelector(".plane output");
      this.figure = document.getElementById(element.dataset.player);
      this.chosen = null; // a group that is highlighted
      this.at = null; // the point whose name is shown
      this.played = points.findIndex(point => point.scene);
      this.#say(this.points[this.played], this.figure.querySelector("figcaption"));
      this.#listen();
    }

    #place({ x, y }) {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      return [14 + x * (width - 28), 14 + y * (height - 28)];
    }

    #listen() {
      this.canvas.addEventListener("pointermove", event => this.#move(this.#nearest(event, 18)));
      this.canvas.addEventListener("pointerleave", () => this.#move(null));
      this.canvas.addEventListener("click", event => {
        this.#move(this.#nearest(event, 24));
        this.#play();
      });
      this.canvas.addEventListener("keydown", event => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (step) this.#walk(step);
        else if (event.key === "Enter" || event.key === " ") this.#play();
        else return;
        event.preventDefault();
      });
      const buttons = [...this.element.querySelectorAll("[data-class]")];
      for (const button of buttons) {
        button.addEventListener("click", () => {
          const index = Number(button.dataset.class);
          this.#choose(this.chosen === index ? null : index, button);
        });
      }
      this.element.querySelector(".colours")?.addEventListener("change", event => {
        this.colouring = Number(event.target.value);
        for (const each of this.element.querySelectorAll(".classes-legend"))
          each.hidden = Number(each.dataset.colouring) !== this.colouring;
        this.#choose(null);
        this.#say(this.points[this.played], this.figure.querySelector("figcaption"));
      });
      new ResizeObserver(() => this.#draw()).observe(this.canvas);
      dark.addEventListener("change", () => this.#draw());
    }

    #choose(group, pressed = null) {
      this.chosen = group;
      for (const each of this.element.querySelectorAll("[data-class]"))
        each.setAttribute("aria-pressed", each === pressed && group !== null);
      this.#draw();
    }

    #group(point) {
      return point.groups[this.colouring];
    }

    #nearest(event, reach) {
      const box = this.canvas.getBoundingClientRect();
      let best = null, least = reach;
      this.points.forEach((point, i) => {
        if (this.chosen !== null && this.#group(point) !== this.chosen) return;
        const [x, y] = this.#place(point);
        const far = Math.hypot(x + box.left - event.clientX, y + box.top - event.clientY);
        if (far < least) [best, least] = [i, far];
      });
      return best;
    }

    #walk(step) { // to the next clip, of the highlighted group if there is one
      const count = this.points.length;
      let i = this.at ?? (step > 0 ? -1 : count);
      for (let tried = 0; tried < count; tried++) {
        i = (i + step + count) % count;
        if (this.chosen === null || this.#group(this.points[i]) === this.chosen) return this.#move(i);
      }
    }

    #move(i) {
      if (i === this.at) return;
      this.at = i;
      if (i === null) this.output.textContent = "";
      else this.#say(this.points[i], this.output);
      this.#draw();
    }

    #say(point, where) {
      const near = point.near === null ? "" : `; nearest: ${point.near}`;
      const names = this.colourings[this.colouring];
      where.textContent = names.length > 1 ? `${names[this.#group(point)]} (${point.name})${near}` : point.name;
    }

    #play() {
      const point = this.points[this.at];
      if (!point) return;
      if (!point.scene) {
        this.output.textContent += "; this clip cannot be played here";
        return;
      }
      this.played = this.at;
      this.figure.player.load(point.scene);
      this.figure.player.play();
      this.#say(point, this.figure.querySelector("figcaption"));
      this.#draw();
    }

    #draw() {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      if (!width || !height) return;
      const sharp = window.devicePixelRatio || 1;
      this.canvas.width = Math.round(width * sharp);
      this.canvas.height = Math.round(height * sharp);
      const style = getComputedStyle(this.element), context = this.canvas.getContext("2d");
      const colour = name => style.getPropertyValue(`--${name}`);
      const all = this.points.every(point => point.scene);
      this.points.forEach((point, i) => {
        const [x, y] = this.#place(point);
        const size = (i === this.at ? 1.5 : 1) * (all || !point.scene ? 3.6 : 4.6);
        context.setTransform(sharp, 0, 0, sharp, sharp * x, sharp * y);
        context.globalAlpha = this.chosen !== null && this.#group(point) !== this.chosen ? 0.12 : 1;
        const path = new Path2D();
        const group = this.#group(point);
        SHAPES[Math.floor(group / this.hues) % SHAPES.length](path);
        const scaled = new Path2D();
        scaled.addPath(path, new DOMMatrix([size, 0, 0, size, 0, 0]));
        context.fillStyle = context.strokeStyle = colour(`series-${group % this.hues}`);
        context.lineWidth = 1.4;
        if (point.near === null) context.fill(scaled);
        else context.stroke(scaled);
        if (i === this.played || i === this.at) {
          context.strokeStyle = colour("kineme-ink");
          context.beginPath();
          context.arc(0, 0, size + 4, 0, 2 * Math.PI);
          context.stroke();
        }
      });
    }
  }

  function selectable(element) { // recordings: one is shown at a time
    const choice = element.querySelector("select");
    if (!choice) return;
    const show = () => {
      for (const panel of element.querySelectorAll(".recording")) {
        panel.hidden = panel.id !== choice.value;
        if (panel.hidden) panel.querySelector(".kineme-player").player.pause();
      }
    };
    choice.addEventListener("change", show);
    show();
  }

  function stoppable(button) { // all skeletons of a section, at once
    const players = [...button.closest(".moving").querySelectorAll(".kineme-player")].map(each => each.player);
    const show = () => {
      const moving = players.some(player => player.playing);
      button.textContent = moving ? "❚❚ Pause all" : "▶ Play all";
      return moving;
    };
    button.addEventListener("click", () => {
      const moving = show();
      for (const player of players) moving ? player.pause() : player.play();
      show();
    });
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".chart").forEach(readable);
    document.querySelectorAll(".matrix").forEach(pointed);
    for (const element of document.querySelectorAll(".map")) element.atlas = new Atlas(element);
    document.querySelectorAll(".recordings").forEach(selectable);
    document.querySelectorAll(".stop").forEach(stoppable);
  });
})();
