// Lists to choose from by arrow keys or mouse while a text field keeps the focus, and what is offered in them.
import { avatar, fill, h, hexColour, icon } from "./dom.js";
import { canSee } from "./permissions.js";
import { roleColour } from "./store.js";

let count = 0;

/**
 * Items are `{ label, value, detail, icon | picture, heading, testid, checked }`. `onPick(item)` is called for the one
 * chosen with Enter, Tab or a click.
 */
export class Picker {
  items = [];
  active = 0;

  constructor(list, onPick) {
    Object.assign(this, { list, onPick, id: `picker-${(count += 1)}` });
    Object.assign(list, { id: this.id, role: "listbox" });
    list.addEventListener("mousedown", (event) => event.preventDefault());
  }

  get open() {
    return !this.list.hidden;
  }

  get current() {
    return this.open ? this.items[this.active] : undefined;
  }

  /** With `active` -1 nothing is chosen until an arrow key is pressed. */
  show(input, items, active = 0, empty = "Nothing found") {
    Object.assign(this, { input, items, active: Math.min(active, items.length - 1) });
    this.list.hidden = false;
    for (const [name, value] of [["role", "combobox"], ["aria-expanded", "true"], ["aria-controls", this.id], ["autocomplete", "off"]]) {
      input.setAttribute(name, value);
    }
    fill(this.list, items.length ? items.map((item, index) => this.#option(item, index)) : h("div.picker-empty", {}, empty));
    this.#mark();
  }

  hide() {
    this.list.hidden = true;
    this.items = [];
    this.input?.setAttribute("aria-expanded", "false");
    this.input?.removeAttribute("aria-activedescendant");
  }

  #option(item, index) {
    const props = {
      role: "option", id: `${this.id}-${index}`, testid: item.testid ?? `option-${item.label}`,
      onclick: () => this.onPick(item),
      onmousemove: () => { if (this.active !== index) { this.active = index; this.#mark(false); } },
    };
    return [
      item.heading && h("div.picker-heading", { role: "presentation" }, item.heading),
      h("div.option", props,
        item.picture ?? (item.icon && icon(item.icon)),
        h("span.option-text", {},
          h("span.option-label", {}, item.label),
          item.pills?.map((pill) => h("span.pill", {}, pill)),
          item.detail && h("span.option-detail", {}, item.detail)),
        item.checked && icon("check", "tick")),
    ];
  }

  #mark(scroll = true) {
    this.list.querySelectorAll('[role="option"]').forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === this.active));
      if (index === this.active && scroll) option.scrollIntoView({ block: "nearest" });
    });
    if (this.items[this.active]) this.input.setAttribute("aria-activedescendant", `${this.id}-${this.active}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** Answers whether the key was for the list. */
  key(event) {
    if (!this.open || !this.items.length || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.active = (this.active + step + this.items.length) % this.items.length;
      this.#mark();
    } else if ((event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && this.items[this.active]) {
      this.onPick(this.items[this.active]);
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }
}

/** Those that match what was typed, the better matches first. */
export function rank(items, query) {
  const wanted = query.trim().toLowerCase().replace(/^[@#/]/, "");
  if (!wanted) return items;
  const score = ({ label, detail = "" }) => {
    const name = label.toLowerCase();
    if (name.startsWith(wanted)) return 0;
    if (name.includes(wanted)) return 1;
    return detail.toLowerCase().includes(wanted) ? 2 : 3;
  };
  return items.filter((item) => score(item) < 3).sort((a, b) => score(a) - score(b));
}

export function userChoices({ store, guild, channel }) {
  const users = guild ? [...guild.members.values()].map(({ user }) => user) : [...(channel?.recipients ?? []), store.self];
  return users.map((user) => ({
    label: store.nameOf(user, guild), detail: user.username, value: user.id, picture: avatar(user, "tiny"), kind: "user",
  }));
}

export function roleChoices({ guild }) {
  const roles = [...(guild?.roles.values() ?? [])].sort((a, b) => b.position - a.position);
  return roles.map((role) => ({
    label: role.name, value: role.id, kind: "role",
    picture: h("span.dot", { vars: { colour: hexColour(roleColour(role) || 0x99aab5) } }),
  }));
}

export function channelChoices({ guild, store }, types) {
  const channels = [...(guild?.channels.values() ?? [])].filter((channel) => canSee(guild, channel, store.self.id));
  return channels
    .filter((channel) => !types?.length || types.includes(channel.type))
    .sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
    .map((channel) => ({
      label: channel.name, detail: guild.channels.get(channel.parent_id)?.name,
      value: channel.id, icon: channelIcon(channel), kind: "channel",
    }));
}

const CHANNEL_ICONS = {
  2: "speaker", 4: "folder", 5: "megaphone", 10: "thread", 11: "thread", 12: "thread", 13: "speaker", 15: "bubble", 16: "bubble",
};
export const channelIcon = ({ type }) => CHANNEL_ICONS[type] ?? "hash";

/** What a select menu offers. */
export function choicesOf(component, session) {
  if (component.type === 5) return userChoices(session);
  if (component.type === 6) return roleChoices(session);
  if (component.type === 7) return [...userChoices(session), ...roleChoices(session)];
  if (component.type === 8) return channelChoices(session, component.channel_types);
  return (component.options ?? []).map((option) => ({
    label: option.label, value: option.value, detail: option.description,
    picture: option.emoji && h("span.option-emoji", {}, option.emoji.id ? `:${option.emoji.name}:` : option.emoji.name),
  }));
}
