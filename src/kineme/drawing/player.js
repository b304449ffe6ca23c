"use strict";
(() => {
  const UNSEEN = -32768; // as in player.py
  const SIDES = ["middle", "left", "right"];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const numbers = text => text.split(" ").map(Number);

  function decoded(text) { // base64 → 16-bit integers, least significant byte first
    const raw = atob(text), view = new DataView(new ArrayBuffer(raw.length));
    for (let i = 0; i < raw.length; i++) view.setUint8(i, raw.charCodeAt(i));
    const points = new Int16Array(raw.length / 2);
    for (let i = 0; i < points.length; i++) points[i] = view.getInt16(2 * i, true);
    return points;
  }

  class Player {
    constructor(element) {
      this.element = element;
      this.canvas = element.querySelector("canvas");
      this.button = element.querySelector("button");
      this.scrubber = element.querySelector("input");
      this.readout = element.querySelector("output");
      this.turn = 0; // radians about the vertical axis
      this.tilt = 0.14; // radians from above
      this.playing = element.dataset.autoplay === "1" && !calm.matches;
      this.inView = false;
      this.#read();
      this.#listen();
      this.#show();
    }

    load(scene) { // another clip in this one's place, as `scene` of player.py gives it
      Object.assign(this.element.dataset, scene);
      this.#read();
      if (this.scrubber) this.scrubber.max = this.frames - 1;
      this.#show();
      this.#draw();
    }

    #read() {
      const data = this.element.dataset;
      this.frames = Number(data.frames);
      this.bodies = Number(data.bodies);
      this.fps = Number(data.fps);
      this.first = Number(data.first);
      this.step = Number(data.step);
      this.radius = Number(data.radius);
      this.halfHeight = Number(data.tall);
      this.parents = numbers(data.parents);
      this.sides = numbers(data.sides);
      this.floor = Number(data.floor);
      this.points = decoded(data.points);
      this.frame = 0;
      this.clock = 0; // seconds since frame 0
    }

    play() {
      if (this.frame === this.frames - 1) this.clock = 0;
      this.playing = true;
      this.#show();
      this.#run();
    }

    pause() {
      this.playing = false;
      this.#show();
    }

    seek(frame) {
      const wanted = Math.max(0, Math.min(this.frames - 1, Math.floor(frame)));
      this.clock = wanted / this.fps;
      this.#moveTo(wanted);
    }

    #moveTo(frame) {
      if (frame === this.frame) return;
      this.frame = frame;
      this.#show();
      this.#draw();
      this.element.dispatchEvent(new CustomEvent("frame", { detail: { frame } }));
    }

    #run() {
      if (this.running || !this.playing || !this.inView) return;
      this.running = true;
      let before = null;
      const tick = now => {
        this.running = this.playing && this.inView;
        if (!this.running) return;
        // A tab that was in the background does not make the skeleton jump.
        if (before !== null) this.clock += Math.min(now - before, 250) / 1000;
        before = now;
        this.clock %= this.frames / this.fps;
        this.#moveTo(Math.min(this.frames - 1, Math.floor(this.clock * this.fps)));
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }

    #show() {
      if (!this.button) return;
      this.button.textContent = this.playing ? "❚❚" : "▶";
      this.button.setAttribute("aria-label", this.playing ? "pause" : "play");
      this.scrubber.value = this.frame;
      const last = this.first + this.frames - 1;
      const number = String(this.first + this.frame).padStart(String(last).length, "\u2007");
      const seconds = ((this.first + this.frame) / this.fps).toFixed(2);
      this.readout.textContent = `${number} / ${last} · ${seconds} s`;
      this.scrubber.setAttribute("aria-valuetext", `frame ${this.first + this.frame} of ${last}`);
    }

    #listen() {
      const toggle = () => { // unless a gallery, whose clock it follows, takes it up
        const event = new CustomEvent("toggle", { cancelable: true });
        if (this.element.dispatchEvent(event)) this.playing ? this.pause() : this.play();
      };
      this.button?.addEventListener("click", toggle);
      this.scrubber?.addEventListener("input", () => {
        const wanted = Number(this.scrubber.value); // pausing resets it
        this.pause();
        this.seek(wanted);
      });
      let from = null, dragged = false;
      this.canvas.addEventListener("pointerdown", event => {
        from = [event.clientX, event.clientY];
        dragged = false;
        this.canvas.setPointerCapture(event.pointerId);
      });
      this.canvas.addEventListener("pointermove", event => {
        if (!from) return;
        const [x, y] = [event.clientX - from[0], event.clientY - from[1]];
        if (!dragged && Math.hypot(x, y) < 4) return;
        dragged = true;
        this.#turnBy(x / 120, y / 200);
        from = [event.clientX, event.clientY];
      });
      this.canvas.addEventListener("pointerup", () => {
        if (from && !dragged) toggle();
        from = null;
      });
      this.canvas.addEventListener("pointercancel", () => (from = null));
      this.canvas.addEventListener("keydown", event => {
        const turns = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
        if (event.key === " ") toggle();
        else if (turns[event.key]) this.#turnBy(...turns[event.key]);
        else return;
        event.preventDefault();
      });
      new IntersectionObserver(entries => {
        this.inView = entries[entries.length - 1].isIntersecting;
        this.#run();
      }).observe(this.canvas);
      new ResizeObserver(() => this.#draw()).observe(this.canvas);
      dark.addEventListener("change", () => this.#draw());
    }

    #turnBy(turn, tilt) {
      this.turn += turn;
      this.tilt = Math.max(-0.2, Math.min(1.4, this.tilt + tilt));
      this.#draw();
    }

    #draw() {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      if (!width || !height) return;
      const sharp = window.devicePixelRatio || 1;
      const [columns, rows] = [Math.round(width * sharp), Math.round(height * sharp)];
      if (this.canvas.width !== columns || this.canvas.height !== rows) {
        this.canvas.width = columns;
        this.canvas.height = rows;
      }
      const style = getComputedStyle(this.element);
      const colour = name => style.getPropertyValue(`--kineme-${name}`);
      const context = this.canvas.getContext("2d");
      context.setTransform(sharp, 0, 0, sharp, 0, 0);
      context.clearRect(0, 0, width, height);
      const scale = 0.46 * Math.min(width / (this.radius || 1e-9), height / this.#tall());
      const [sin, cos] = [Math.sin(this.turn), Math.cos(this.turn)];
      const [rise, lie] = [Math.sin(this.tilt), Math.cos(this.tilt)];
      const seen = (x, y, z) => { // scene → canvas, and how near
        const [across, near] = [x * cos + z * sin, z * cos - x * sin];
        return [width / 2 + scale * across, height / 2 - scale * (y * lie - near * rise), near * lie + y * rise];
      };
      if (!Number.isNaN(this.floor)) this.#drawFloor(context, seen, colour("line"));
      const thick = Math.max(1.5, Math.min(width, height) / 110);
      for (const bone of this.#bones(seen)) {
        context.strokeStyle = context.fillStyle = colour(`${SIDES[bone.side]}-${bone.body % 2}`);
        context.lineWidth = thick;
        context.lineCap = "round";
        context.beginPath();
        context.moveTo(bone.from[0], bone.from[1]);
        context.lineTo(bone.to[0], bone.to[1]);
        context.stroke();
        context.beginPath();
        context.arc(bone.from[0], bone.from[1], 0.8 * thick, 0, 2 * Math.PI);
        context.fill();
      }
    }

    #tall() { // half the height of the scene as tilted
      return Math.max(1e-9, this.halfHeight * Math.cos(this.tilt) + this.radius * Math.abs(Math.sin(this.tilt)));
    }

    #bones(seen) { // of this frame, farthest first
      const joints = this.parents.length, bones = [];
      for (let body = 0; body < this.bodies; body++) {
        const start = 3 * joints * (this.frame * this.bodies + body);
        const at = joint => {
          const [x, y, z] = this.points.subarray(start + 3 * joint, start + 3 * joint + 3);
          return x === UNSEEN ? null : seen(x * this.step, y * this.step, z * this.step);
        };
        const placed = this.parents.map((_, joint) => at(joint));
        this.parents.forEach((parent, joint) => {
          if (!placed[joint]) return;
          const to = parent >= 0 && placed[parent] ? placed[parent] : placed[joint];
          bones.push({ from: placed[joint], to, side: this.sides[joint], body });
        });
      }
      return bones.sort((one, other) => one.from[2] + one.to[2] - other.from[2] - other.to[2]);
    }

    #drawFloor(context, seen, colour) {
      context.strokeStyle = colour;
      context.lineWidth = 1;
      const lines = 4;
      for (let i = -lines; i <= lines; i++) {
        const place = (i / lines) * this.radius, end = Math.sqrt(this.radius ** 2 - place ** 2);
        for (const [x1, z1, x2, z2] of [[place, -end, place, end], [-end, place, end, place]]) {
          const [from, to] = [seen(x1, this.floor, z1), seen(x2, this.floor, z2)];
          context.beginPath();
          context.moveTo(from[0], from[1]);
          context.lineTo(to[0], to[1]);
          context.stroke();
        }
      }
    }
  }

  function followed(element) { // a timeline: it follows its player, and moves it when clicked
    const player = document.getElementById(element.dataset.player);
    const frames = Number(element.dataset.frames);
    const tracks = [...element.querySelectorAll(".kineme-track")].map(track => ({
      track,
      now: track.nextElementSibling,
      bands: [...track.querySelectorAll("i")].map(band => ({
        start: Number(band.dataset.start), end: Number(band.dataset.end), text: band.textContent,
      })),
    }));
    const show = frame => {
      element.style.setProperty("--at", `${(100 * (frame + 0.5)) / frames}%`);
      for (const { now, bands } of tracks) {
        const texts = bands.filter(band => band.start <= frame && frame < band.end).map(band => band.text);
        now.textContent = [...new Set(texts)].join(", ");
      }
    };
    for (const { track } of tracks) {
      const lead = event => {
        const { left, width } = track.getBoundingClientRect();
        player.player.pause();
        player.player.seek((frames * (event.clientX - left)) / width);
      };
      track.addEventListener("pointerdown", lead);
      track.addEventListener("pointermove", event => event.buttons && lead(event));
    }
    player.addEventListener("frame", event => show(event.detail.frame));
    show(0);
  }

  globalThis.kineme = { Player }; // for pages that make players later

  document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll(".kineme-player")) element.player = new Player(element);
    document.querySelectorAll(".kineme-timeline").forEach(followed);
  });
})();
