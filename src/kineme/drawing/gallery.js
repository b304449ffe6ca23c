"use strict";
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  class Gallery { // players that follow one clock
    constructor(element) {
      this.button = element.querySelector(":scope > button");
      this.element = element;
      this.time = 0; // seconds since the clips began
      this.playing = !calm.matches;
      this.inView = new Set();
      this.button.addEventListener("click", () => this.#toggle());
      element.addEventListener("toggle", event => {
        event.preventDefault(); // a click on one skeleton is for all
        this.#toggle();
      }, true);
      this.seen = new IntersectionObserver(entries => {
        for (const { target, isIntersecting } of entries) {
          this.inView[isIntersecting ? "add" : "delete"](target.player);
        }
        this.#move();
        this.#run();
      });
      this.renew();
      this.#show();
    }

    renew() { // players have come, gone or been loaded with other clips
      this.seen.disconnect();
      this.inView.clear();
      this.players = [...this.element.querySelectorAll(".kineme-player")].map(each => each.player);
      this.length = Math.max(...this.players.map(player => player.frames / player.fps));
      this.time = 0;
      this.players.forEach(player => this.seen.observe(player.element));
    }

    play() {
      this.playing = true;
      this.#show();
      this.#run();
    }

    pause() {
      this.playing = false;
      this.#show();
    }

    seek(time) { // seconds
      this.time = Math.max(0, Math.min(this.length, time));
      this.#move();
    }

    #toggle() {
      this.playing ? this.pause() : this.play();
    }

    #show() {
      this.button.textContent = this.playing ? "❚❚ Pause all" : "▶ Play all";
    }

    #move() { // those out of view catch up when they are seen; a hair more, as 3 / 30 · 30 may be below 3
      for (const player of this.inView) player.seek(this.time * player.fps + 1e-6);
    }

    #run() {
      if (this.running || !this.playing || !this.inView.size) return;
      this.running = true;
      let before = null;
      const tick = now => {
        this.running = this.playing && this.inView.size > 0;
        if (!this.running) return;
        // A tab that was in the background does not make the skeletons jump.
        if (before !== null) this.time += Math.min(now - before, 250) / 1000;
        before = now;
        this.time %= this.length;
        this.#move();
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll(".kineme-gallery")) element.gallery = new Gallery(element);
  });
})();
