// Elements: names of clips and classes go into text and attributes, never into markup.
export const find = id => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child != null));
  return element;
}

export function drawn(tag, attributes = {}, ...children) { // of SVG
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

export const seconds = time => `${time.toFixed(time < 100 ? 1 : 0)} s`;

export function colour(name) { // of the stylesheet, as it is now, light or dark
  return getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();
}

let hiding;
export function tell(text, lasting = false) { // a line at the foot of the window
  const line = find("said");
  line.textContent = text;
  line.hidden = !text;
  clearTimeout(hiding);
  if (text && !lasting) hiding = setTimeout(() => (line.hidden = true), 6000);
}
