// Points in the plane, drawn by WebGL: 100,000 of them move as one. It knows nothing of what they mean.
const VERTEX = `
  attribute vec2 place; attribute vec4 colour; attribute float shape;
  uniform vec2 scale, offset; uniform mediump float size;
  varying vec4 ink; varying float form;
  void main() {
    gl_Position = vec4(place * scale + offset, 0.0, 1.0);
    gl_PointSize = size; ink = colour; form = shape;
  }`;
const FRAGMENT = `
  precision mediump float;
  uniform mediump float size;
  varying vec4 ink; varying float form;
  void main() { // distance from the shape's edge, in pixels, inside positive
    vec2 at = 2.0 * gl_PointCoord - 1.0, a = abs(at);
    float d = form < 0.5 ? 1.0 - length(at)                                      // disc
            : form < 1.5 ? 0.86 - max(a.x, a.y)                                  // square
            : form < 2.5 ? min(0.8 - at.y, (at.y + 0.9 - 2.1 * a.x) * 0.43)      // triangle
            : (1.0 - a.x - a.y) * 0.8;                                           // diamond
    float alpha = ink.a * clamp(d * size * 0.5, 0.0, 1.0);
    if (alpha <= 0.0) discard;
    gl_FragColor = vec4(ink.rgb * alpha, alpha);
  }`;
const CELLS = 64; // to a side of the grid in which points are looked up
const MARGIN = 0.04; // of the side

export class Scatter {
  constructor(canvas) {
    this.canvas = canvas;
    this.count = 0;
    this.zoom = 1;
    this.centre = [0.5, 0.5]; // of the map, in its own units, 0 to 1
    this.changed = () => {}; // called when the view has moved
    this.canvas.addEventListener("webglcontextlost", event => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.#begin());
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.#begin();
  }

  #begin() {
    const gl = this.gl = this.canvas.getContext("webgl", { antialias: false });
    if (!gl) throw new Error("this browser has no WebGL");
    const program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.uniform = Object.fromEntries(["scale", "offset", "size"].map(name => [name, gl.getUniformLocation(program, name)]));
    const kinds = { place: [2, gl.FLOAT], colour: [4, gl.UNSIGNED_BYTE], shape: [1, gl.UNSIGNED_BYTE] };
    this.buffers = {};
    for (const [name, [size, type]] of Object.entries(kinds)) {
      const at = gl.getAttribLocation(program, name);
      this.buffers[name] = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, type, name === "colour", 0, 0);
    }
    if (this.count) {
      this.#send("place", this.places);
      this.paint(this.colours, this.shapes);
    }
  }

  #send(name, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.DYNAMIC_DRAW);
  }

  set(places) { // Float32Array of x, y from 0 to 1
    this.places = places;
    this.count = places.length / 2;
    this.cells = Array.from({ length: CELLS * CELLS }, () => []);
    for (let i = 0; i < this.count; i++) this.cells[this.#cell(places[2 * i], places[2 * i + 1])].push(i);
    this.#send("place", places);
  }

  #cell(x, y) {
    const of = value => Math.min(CELLS - 1, Math.max(0, Math.floor(value * CELLS)));
    return CELLS * of(y) + of(x);
  }

  paint(colours, shapes) { // Uint8Array of red, green, blue, alpha; Uint8Array
    this.colours = colours;
    this.shapes = shapes;
    this.#send("colour", colours);
    this.#send("shape", shapes);
    this.draw();
  }

  #units() { // CSS pixels to a unit of the map, across and up
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [width, height].map(side => this.zoom * side * (1 - 2 * MARGIN));
  }

  toScreen(x, y) {
    const [across, up] = this.#units(), { clientWidth: width, clientHeight: height } = this.canvas;
    return [width / 2 + across * (x - this.centre[0]), height / 2 - up * (y - this.centre[1])];
  }

  toMap(x, y) {
    const [across, up] = this.#units(), { clientWidth: width, clientHeight: height } = this.canvas;
    return [this.centre[0] + (x - width / 2) / across, this.centre[1] - (y - height / 2) / up];
  }

  get size() { // of a point, CSS pixels
    return Math.min(16, Math.max(3, (60 / Math.max(this.count, 1) ** 0.25) * 0.72 * this.zoom ** 0.4));
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#draw();
      this.changed();
    });
  }

  #draw() {
    const { gl, canvas } = this, { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !this.count || !this.colours) return;
    const sharp = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(height * sharp)) {
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.round(height * sharp);
    }
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const scale = this.#units().map((unit, axis) => (2 * unit) / [width, height][axis]);
    gl.uniform2f(this.uniform.scale, ...scale);
    gl.uniform2f(this.uniform.offset, -scale[0] * this.centre[0], -scale[1] * this.centre[1]);
    gl.uniform1f(this.uniform.size, this.size * sharp);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  panBy(x, y) { // CSS pixels
    const [across, up] = this.#units();
    this.centre = [this.centre[0] - x / across, this.centre[1] + y / up].map(value => Math.min(1, Math.max(0, value)));
    this.draw();
  }

  zoomBy(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) { // about a place on the screen
    const before = this.toMap(x, y);
    this.zoom = Math.min(200, Math.max(1, this.zoom * factor));
    const after = this.toMap(x, y);
    this.centre = this.centre.map((value, axis) => Math.min(1, Math.max(0, value + before[axis] - after[axis])));
    this.draw();
  }

  whole() {
    this.zoom = 1;
    this.centre = [0.5, 0.5];
    this.draw();
  }

  show(point) { // brings a point into view
    const place = [this.places[2 * point], this.places[2 * point + 1]];
    const [x, y] = this.toScreen(...place);
    if (x < 20 || y < 20 || x > this.canvas.clientWidth - 20 || y > this.canvas.clientHeight - 20) this.centre = place;
    this.draw();
  }

  nearest(x, y, within) { // the point nearest to a place on the screen; -1 if none is as near
    let best = -1, least = within * within;
    const low = this.#cell(...this.toMap(x - within, y + within)), high = this.#cell(...this.toMap(x + within, y - within));
    for (let row = Math.floor(low / CELLS); row <= Math.floor(high / CELLS); row++) {
      for (let column = low % CELLS; column <= high % CELLS; column++) {
        for (const point of this.cells[CELLS * row + column]) {
          const [atX, atY] = this.toScreen(this.places[2 * point], this.places[2 * point + 1]);
          const apart = (atX - x) ** 2 + (atY - y) ** 2;
          if (apart <= least && this.colours[4 * point + 3] > 60) [best, least] = [point, apart];
        }
      }
    }
    return best;
  }

  towards(from, right, up) { // the next point in a direction; -1 if there is none
    let best = -1, least = Infinity;
    for (let point = 0; point < this.count; point++) {
      if (point === from || this.colours[4 * point + 3] <= 60) continue;
      const x = this.places[2 * point] - this.places[2 * from], y = this.places[2 * point + 1] - this.places[2 * from + 1];
      const along = x * right + y * up, aside = Math.abs(x * up) + Math.abs(y * right);
      if (along > 1e-6 && aside <= 1.2 * along && along + 2 * aside < least) [best, least] = [point, along + 2 * aside];
    }
    return best;
  }

  inside(outline) { // points within a polygon on the screen
    const corners = outline.map(([x, y]) => this.toMap(x, y)), found = [];
    const [lowX, lowY] = [0, 1].map(axis => Math.min(...corners.map(corner => corner[axis])));
    const [highX, highY] = [0, 1].map(axis => Math.max(...corners.map(corner => corner[axis])));
    for (let point = 0; point < this.count; point++) {
      const x = this.places[2 * point], y = this.places[2 * point + 1];
      if (x < lowX || x > highX || y < lowY || y > highY || this.colours[4 * point + 3] <= 60) continue;
      let odd = false;
      for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
        const [x1, y1] = corners[i], [x2, y2] = corners[j];
        if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd;
      }
      if (odd) found.push(point);
    }
    return found;
  }
}
