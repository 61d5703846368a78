// What lies over the page: popovers, menus, dialogs, profile cards and the quick switcher.
import { avatar, h, hexColour, icon, toast } from "./dom.js";
import { choicesOf, Picker, rank } from "./picker.js";
import { mayUse, channelPermissions, isThread } from "./permissions.js";
import { roleColour } from "./store.js";

/** Shows `content` beside an element or a `{ x, y }` point until Esc or a click elsewhere; answers how to close it. */
function popover(anchor, content, { onclose, className = "" } = {}) {
  const box = h("div.popover", { popover: "auto", class: `popover ${className}` }, content);
  // Beside a control of an open dialog it must live inside that dialog: everything outside is inert.
  const host = anchor instanceof Element ? anchor.closest("dialog") : null;
  (host ?? document.body).append(box);
  box.showPopover();
  // Its content may still grow: it is placed again whenever its size changes.
  const rect = anchor instanceof Element ? anchor.getBoundingClientRect() : new DOMRect(anchor.x, anchor.y, 0, 0);
  new ResizeObserver(() => place(box, rect)).observe(box);
  box.addEventListener("toggle", ({ newState }) => {
    if (newState !== "closed") return;
    box.remove();
    onclose?.();
  });
  return () => box.isConnected && box.hidePopover();
}

function place(box, rect) {
  const size = box.getBoundingClientRect();
  const fits = rect.bottom + size.height + 12 < innerHeight;
  const top = fits ? rect.bottom + 6 : Math.max(8, rect.top - size.height - 6);
  box.style.setProperty("left", `${Math.max(8, Math.min(rect.left, innerWidth - size.width - 8))}px`);
  box.style.setProperty("top", `${Math.min(top, Math.max(8, innerHeight - size.height - 8))}px`);
}

/** A menu of `{ label, icon, run, danger }`; a string is a heading, empty entries are skipped. */
export function menu(anchor, label, entries) {
  const items = entries.filter(Boolean).map((entry) =>
    typeof entry === "string"
      ? h("div.menu-heading", { role: "presentation" }, entry)
      : h(`button.menu-item${entry.danger ? ".danger" : ""}`, {
          role: "menuitem", tabindex: "-1", testid: `menu-${entry.label}`,
          onclick: () => { close(); entry.run(); },
        }, entry.label, entry.icon && icon(entry.icon)));
  const list = h("div.menu", { role: "menu", "aria-label": label }, items);
  list.addEventListener("keydown", (event) => moveFocus(event, [...list.querySelectorAll(".menu-item")]));
  const close = popover(anchor, list);
  list.querySelector(".menu-item")?.focus();
}

/** Up, Down, Home and End move through `elements`. */
export function moveFocus(event, elements) {
  const at = elements.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: elements.length - 1 }[event.key];
  if (to === undefined || !elements.length) return;
  event.preventDefault();
  elements[(to + elements.length) % elements.length].focus();
}

/** A modal dialog: focus stays inside, Esc and a click beside it close it. */
export function dialog(content, { label, testid, className = "", onclose } = {}) {
  const box = h("dialog", { class: `dialog ${className}`, "aria-label": label, testid }, content);
  document.body.append(box);
  box.addEventListener("close", () => {
    box.remove();
    onclose?.();
  });
  let pressedBeside = false;
  box.addEventListener("pointerdown", (event) => (pressedBeside = event.target === box));
  box.addEventListener("click", (event) => event.target === box && pressedBeside && box.close());
  box.showModal();
  return box;
}

/** Asks before something that cannot be undone. */
export function confirm(title, text, action, run) {
  const box = dialog(
    h("form", { method: "dialog" },
      h("h2", {}, title),
      h("p", {}, text),
      h("footer", {},
        h("button.plain", { type: "submit" }, "Cancel"),
        h("button.danger", { type: "submit", testid: "confirm", autofocus: true, onclick: run }, action))),
    { label: title, className: "small" },
  );
  return box;
}

/** Closes whatever lies over the page. */
export function closeAll() {
  for (const box of document.querySelectorAll(":popover-open")) box.hidePopover();
  for (const box of document.querySelectorAll("dialog[open]")) box.close();
}

export const copy = (text) =>
  navigator.clipboard?.writeText(text).then(() => toast("Copied"), () => toast(text)) ?? toast(text);

/** The context-menu commands of a kind (2 user, 3 message) as menu entries; resolved once Discord has listed them. */
export async function appEntries(session, kind, target, name) {
  const { channel, guild } = session;
  if (!guild || !channel) return [];
  const bits = channelPermissions(guild, channel, session.store.self.id);
  const commands = await session.commands(guild.id).catch(() => []);
  const entries = commands
    .filter((command) => command.type === kind && mayUse(command, bits))
    .map((command) => {
      const run = () => session.run(command, channel.id, `${command.name} ${name}`, [], [], target);
      return { label: command.name, icon: "app", run };
    });
  return entries.length ? ["Apps", ...entries] : [];
}

/** A card with someone's name, roles and what one can do with them. */
export async function profile(session, userId, anchor) {
  const { store, guild } = session;
  const user = store.users.get(userId);
  if (!user) return;
  const person = session.page.people.find(({ id }) => id === userId);
  const apps = await appEntries(session, 2, userId, `@${user.username}`);
  const action = (label, iconName, run) =>
    h("button.menu-item", { onclick: () => { close(); run(); } }, label, icon(iconName));
  const write = () => session.message(userId).catch((error) => toast(error.message, "error"));
  const roles = store.rolesOf(userId, guild).map((role) =>
    h("span.role-pill", {}, h("span.dot", { vars: { colour: hexColour(roleColour(role) || 0x99aab5) } }), role.name));
  const close = popover(anchor, h("div.profile", { role: "dialog", "aria-label": `Profile of ${user.username}`, testid: "profile" },
    avatar(user, "large"),
    h("div.profile-name", {}, store.nameOf(user, guild), user.bot && h("span.tag", {}, "APP")),
    h("div.muted", {}, user.username, person && ` · ${person.note}`),
    roles.length > 0 && h("div.profile-roles", {}, roles),
    userId !== store.self.id && !user.bot && action("Message", "bubble", write),
    action("Copy user ID", "copy", () => copy(userId)),
    apps.map((entry) => (typeof entry === "string" ? h("div.menu-heading", {}, entry) : action(entry.label, "app", entry.run)))));
}

/** Ctrl+K: type a few letters of a channel or a person. */
export function quickSwitcher(session, people, switchTo) {
  const { store } = session;
  const channels = [...store.guilds.values()].flatMap((guild) =>
    session.visibleChannels(guild).flatMap(({ channels: listed }) =>
      listed.flatMap(({ channel, threads }) => [channel, ...threads]).map((channel) => ({
        label: channel.name, detail: guild.name, icon: isThread(channel) ? "thread" : "hash", run: () => session.open(guild.id, channel.id),
      }))));
  const dms = [...store.dms.values()].map((channel) => ({
    label: store.nameOf(channel.recipients?.[0]), detail: "Direct message", icon: "bubble", run: () => session.open(null, channel.id),
  }));
  const persons = people.map((person) => ({
    label: person.global_name ?? person.username, detail: `View as · ${person.note}`, icon: "people", run: () => switchTo(person),
  }));
  const items = [...channels, ...dms, ...persons];
  const list = h("div.picker", { id: "switcher-list" });
  const picker = new Picker(list, (item) => { box.close(); item.run(); });
  const update = () => picker.show(input, rank(items, input.value).slice(0, 30));
  const input = h("input", {
    type: "text", placeholder: "Where would you like to go?", "aria-label": "Find a channel or person", autofocus: true,
    oninput: update, onkeydown: (event) => picker.key(event),
  });
  const box = dialog(h("div", {}, input, list), { label: "Quick switcher", className: "switcher", testid: "switcher" });
  update();
}

/** A select menu's list with search and, when several may be chosen, ticks. Calls `done(values)` once it closes. */
export function chooser(anchor, session, component, values, done) {
  const most = component.max_values ?? 1;
  const least = component.min_values ?? 1;
  const all = choicesOf(component, session);
  let chosen = [...values];
  const list = h("div.picker");
  const picker = new Picker(list, (item) => {
    if (most === 1) {
      chosen = chosen[0] === item.value && least === 0 ? [] : [item.value];
      close();
    } else {
      if (chosen.includes(item.value)) chosen = chosen.filter((value) => value !== item.value);
      else if (chosen.length < most) chosen = [...chosen, item.value];
      update();
    }
  });
  const update = () => {
    const found = rank(all, input.value).map((item) => ({ ...item, checked: chosen.includes(item.value) }));
    picker.show(input, found, picker.active);
  };
  const input = h("input", {
    type: "text", placeholder: "Search", "aria-label": component.placeholder ?? "Search", oninput: () => { picker.active = 0; update(); },
    onkeydown: (event) => picker.key(event),
  });
  const hint = most > 1 && h("div.chooser-hint", {}, `Choose ${least === most ? most : `${least} to ${most}`}, then close the list`);
  const content = h("div.chooser", { vars: { width: `${anchor.offsetWidth}px` } }, input, list, hint);
  const close = popover(anchor, content, { className: "fit", onclose: () => chosen.length >= least && done(chosen) });
  update();
  input.focus();
}
