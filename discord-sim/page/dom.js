// Small tools for building the page's elements. Text only ever becomes a text node: nothing here parses HTML.

/**
 * Builds an element: `h("button.primary", { testid: "save", onclick }, "Save")`.
 * Properties: `on…` adds a listener, `testid`/`key` become data attributes, `dataset` sets several, `vars` sets CSS
 * custom properties, booleans toggle an attribute, anything else is an attribute. Empty children are skipped.
 */
export function h(spec, props, ...children) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  if (tag === "button") element.type = "button";
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "testid" || name === "key") element.dataset[name] = value;
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "vars") for (const [key, v] of Object.entries(value)) element.style.setProperty(`--${key}`, v);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

const present = (children) =>
  children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false && child !== "");

export function append(parent, ...children) {
  parent.append(...present(children));
  return parent;
}

/**
 * Makes `children` what is inside `parent`. Those that were there already are not touched, so that text selected in them
 * stays so; keyboard focus in one that is replaced goes to its successor with the same `data-key`.
 */
export function fill(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const top = parent.scrollTop;
  const wanted = new Set(present(children).map((child) => (child instanceof Node ? child : document.createTextNode(child))));
  let at = parent.firstChild;
  const dropStale = () => {
    while (at && !wanted.has(at)) {
      const stale = at;
      at = at.nextSibling;
      stale.remove();
    }
  };
  for (const child of wanted) {
    dropStale();
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
  dropStale();
  parent.scrollTop = top;
  if (focused) byKey(parent, focused)?.focus({ preventScroll: true });
}

const byKey = (parent, key) => parent.querySelector(`[data-key="${CSS.escape(key)}"]`);
export const byId = (id) => document.getElementById(id);

/** One of the symbols drawn in index.html. */
export function icon(name, className = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon ${className}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** The dots of somebody at work. */
export const dots = () => h("span.dots", {}, h("i"), h("i"), h("i"));

/** A listener for right clicks (and the menu key) that gets the point to open a menu at. */
export const onRightClick = (open) => (event) => {
  if (event.target.closest("a")) return;
  event.preventDefault();
  open({ x: event.clientX, y: event.clientY });
};

/** A button that shows only an icon; its label is what a screen reader and the tooltip say. */
export function iconButton(name, label, onclick, props = {}) {
  return h("button.icon-button", { "aria-label": label, title: label, onclick, ...props }, icon(name));
}

/** The colours that the simulator gave to its people, by id. */
export const avatarColours = new Map();

const COLOURS = ["#5865f2", "#eb459e", "#3ba55d", "#d98324", "#ed4245", "#8e64d8", "#2a9d9d", "#7a828e"];

/** A round picture made of initials, in the colour the simulator gave or else one that follows from the id. */
export function avatar(user, size = "") {
  const name = user?.global_name || user?.username || "?";
  const initials = name.split(/[\s_.-]+/).filter(Boolean).slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
  const given = avatarColours.get(user?.id);
  const colour = (typeof given === "number" ? hexColour(given) : given) ?? COLOURS[Number((BigInt(user?.id ?? 0) >> 22n) % 8n)];
  return h(`span.avatar${size && `.${size}`}`, { "aria-hidden": "true", vars: { avatar: colour } }, initials);
}

export const hexColour = (number) => `#${number.toString(16).padStart(6, "0")}`;

/** Order of two snowflakes, oldest first. */
export const byAge = (a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

/** A fresh snowflake, as Discord's own client makes them for nonces. */
export const nonce = () => String(((BigInt(Date.now()) - 1420070400000n) << 22n) | BigInt(Math.floor(Math.random() * 4194304)));

const DAY = 86400000;
const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
const format = (options) => {
  const formatter = new Intl.DateTimeFormat(undefined, options);
  return (date) => formatter.format(date);
};
const clock = format({ hour: "2-digit", minute: "2-digit" });
const shortDate = format({ day: "2-digit", month: "2-digit", year: "numeric" });
const longDate = format({ day: "numeric", month: "long", year: "numeric" });
const weekday = format({ weekday: "long" });

/** "Today at 14:03", as it stands beside a name. */
export function when(date) {
  const days = Math.round((midnight(Date.now()) - midnight(date)) / DAY);
  if (days === 0) return `Today at ${clock(date)}`;
  if (days === 1) return `Yesterday at ${clock(date)}`;
  return `${shortDate(date)} ${clock(date)}`;
}

/** "in 2 days", "3 minutes ago". */
function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units.at(-1);
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

/** The styles of `<t:unix:style>`. */
export const timeStyles = {
  t: clock,
  T: format({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  d: shortDate,
  D: longDate,
  f: (date) => `${longDate(date)} ${clock(date)}`,
  F: (date) => `${weekday(date)}, ${longDate(date)} ${clock(date)}`,
  s: (date) => `${shortDate(date)}, ${clock(date)}`,
  R: relative,
};
export { clock, longDate };

/** "1.2 kB" */
export function bytes(size) {
  const units = ["B", "kB", "MB", "GB"];
  let step = 0;
  for (; size >= 1000 && step < 3; step += 1) size /= 1000;
  return `${step ? size.toFixed(1) : size} ${units[step]}`;
}

/** A short line at the bottom of the window that goes away by itself. */
export function toast(text, kind = "info") {
  const line = h(`div.toast.${kind}`, { testid: "toast" }, text);
  byId("toasts").append(line);
  setTimeout(() => line.remove(), 6000);
}
