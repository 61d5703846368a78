// Message components of both generations: buttons, select menus, and the layout blocks of components v2.
import { bytes, dots, h, hexColour, icon } from "./dom.js";
import { markdown, link, spoiler } from "./markdown.js";
import { chooser } from "./overlay.js";
import { choicesOf } from "./picker.js";

const BUTTON_STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "secondary", 6: "primary" };
const PLACEHOLDERS = {
  3: "Make a selection", 5: "Select a user", 6: "Select a role", 7: "Select a user or role", 8: "Select a channel",
};

/** `cx` is `{ session, message, store, guild }`. */
export function components(list, cx) {
  return (list ?? []).map((component) => renderers[component.type]?.(component, cx) ?? unknown(component));
}

const renderers = {
  1: (row, cx) => h("div.action-row", {}, components(row.components, cx)),
  2: button,
  3: messageSelect,
  5: messageSelect,
  6: messageSelect,
  7: messageSelect,
  8: messageSelect,
  9: (section, cx) =>
    h("div.section", {},
      h("div.section-text", {}, components(section.components, cx)),
      section.accessory && components([section.accessory], cx)),
  10: (text, cx) => markdown(text.content, cx),
  11: (thumbnail) => covered(thumbnail, h("div.thumbnail", {}, picture(thumbnail.media.url, thumbnail.description))),
  12: (gallery) =>
    h(`div.gallery.of-${Math.min(gallery.items.length, 3)}`, {},
      gallery.items.map((item) => covered(item, picture(item.media.url, item.description)))),
  13: (file) => covered(file, fileLine(file.name ?? nameIn(file.file.url), file.size, file.file.url)),
  14: ({ divider, spacing }) => h(`div.separator${divider === false ? "" : ".line"}${spacing === 2 ? ".wide" : ""}`, { role: "separator" }),
  17: (container, cx) => {
    const accent = typeof container.accent_color === "number" ? { bar: hexColour(container.accent_color) } : undefined;
    return covered(container, h(`div.container${accent ? ".accent" : ""}`, { vars: accent }, components(container.components, cx)));
  },
};

const covered = (component, element) => (component.spoiler ? spoiler(element) : element);
const unknown = (component) => h("div.muted", {}, `A component of type ${component.type} that this page does not show`);
const nameIn = (url) => decodeURIComponent(new URL(url, location.href).pathname.split("/").at(-1));

function emojiText(emoji) {
  return emoji && h("span.button-emoji", {}, emoji.id ? `:${emoji.name}:` : emoji.name);
}

function button(component, cx) {
  const { session, message } = cx;
  const label = component.label ?? component.emoji?.name ?? "";
  const content = [emojiText(component.emoji), component.label && h("span", {}, component.label)];
  const kind = BUTTON_STYLES[component.style] ?? "secondary";
  if (component.style === 5) {
    const url = /^(https?|discord):/i.test(component.url) ? component.url : null;
    const props = { href: url, target: "_blank", rel: "noopener noreferrer", testid: `button-${label}` };
    return h(`a.button.${kind}`, props, content, icon("external"));
  }
  const waiting = session.clicks.get(message.id) === `waiting:${component.custom_id}`;
  return h(`button.button.${kind}${waiting ? ".waiting" : ""}`, {
    testid: `button-${label}`, key: `${message.id}:${component.custom_id}`,
    disabled: Boolean(component.disabled) || component.style === 6, "aria-busy": waiting ? "true" : null,
    onclick: () => !waiting && session.click(message, component),
  }, content, waiting && dots());
}

function messageSelect(component, cx) {
  return select(component, cx.session, {
    key: `${cx.message.id}:${component.custom_id}`,
    onchange: (values) => cx.session.click(cx.message, component, values),
    keep: false,
  });
}

/** The values that a select menu begins with. */
export function preset({ default_values: given, options = [] }) {
  return given?.map(({ id }) => id) ?? options.filter((option) => option.default).map(({ value }) => value);
}

/** A select menu's closed face. `keep` shows what was chosen afterwards (forms do; messages wait for the application). */
export function select(component, session, { onchange, keep = true, key, label }) {
  let values = preset(component);
  const face = h("span.select-face");
  const show = () => {
    const choices = choicesOf(component, session);
    const chosen = values.map((value) => choices.find((choice) => choice.value === value)).filter(Boolean);
    face.classList.toggle("empty", chosen.length === 0);
    face.textContent = chosen.map((choice) => choice.label).join(", ") || component.placeholder || PLACEHOLDERS[component.type];
  };
  const element = h("button.select", {
    key, testid: `select-${component.custom_id}`, disabled: Boolean(component.disabled), "aria-haspopup": "listbox",
    "aria-label": label, onclick: () => chooser(element, session, component, values, chosen),
  }, face, icon("chevron"));
  const chosen = (picked) => {
    if (picked.join() === values.join() && (keep || !picked.length)) return;
    values = picked;
    show();
    onchange(picked);
  };
  show();
  return element;
}

/**
 * An address as this page may load it: files of the simulator itself, whichever name of this machine they were given
 * under. Anything else is null, because the page asks no other host for anything.
 */
export function ownUrl(url) {
  if (!URL.canParse(url, location.href)) return null;
  const { hostname, port, pathname, search } = new URL(url, location.href);
  const loopback = (host) => ["localhost", "127.0.0.1", "[::1]"].includes(host);
  const here = hostname === location.hostname || (loopback(hostname) && loopback(location.hostname));
  return here && port === location.port ? location.origin + pathname + search : null;
}

/** An image, or the link to one that lies on another host. */
export function picture(url, description) {
  const own = ownUrl(url);
  const image = own && h("img", { src: own, alt: description ?? "", loading: "lazy" });
  if (own) return h("a.picture", { href: own, target: "_blank", rel: "noopener" }, image);
  return h("span.picture.elsewhere", { title: url }, icon("image"), link(url, description || nameIn(url) || "image"));
}

export function fileLine(name, size, url, more) {
  const own = ownUrl(url) ?? url;
  return h("div.file", {},
    icon("file", "big"),
    h("div.file-name", {},
      h("a", { href: own, target: "_blank", rel: "noopener noreferrer" }, name),
      typeof size === "number" && h("span.muted", {}, bytes(size))),
    h("a.icon-button", { href: own, download: name, title: "Download", "aria-label": `Download ${name}` }, icon("download")),
    more);
}
