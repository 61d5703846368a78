// Everything around the messages: guild rail, channel list, people to view as, header and member list.
import { avatar, byId, fill, h, hexColour, icon, iconButton, onRightClick } from "./dom.js";
import { markdown } from "./markdown.js";
import { copy, menu, moveFocus } from "./overlay.js";
import { isPrivate, isThread } from "./permissions.js";
import { channelIcon } from "./picker.js";
import { roleColour } from "./store.js";

export function drawRail(session) {
  const { store, place } = session;
  const entry = (id, label, content, unread, count) =>
    h(`button.guild${unread ? ".unread" : ""}`, {
      key: `guild:${id}`, testid: `guild-${label}`, title: label,
      "aria-label": count ? `${label}, ${count} mentions` : label, "aria-current": place.guild === id ? "page" : null,
      onclick: () => session.open(id),
    }, h("span.guild-face", {}, content), count > 0 && h("span.badge", {}, String(count)));
  const dms = [...store.dms.values()];
  const guilds = [...store.guilds.values()].map((guild) => {
    const channels = visible(session, guild);
    const initials = guild.name.split(/\s+/).map((word) => [...word][0]).join("").slice(0, 3);
    return entry(guild.id, guild.name, initials, channels.some((channel) => store.isUnread(channel)), mentions(store, channels));
  });
  const unreadDms = dms.filter((channel) => store.isUnread(channel)).length;
  fill(byId("rail"), entry(null, "Direct messages", icon("bubble"), unreadDms > 0, unreadDms), h("div.rail-line"), guilds);
}

/** All the channels and threads of a guild that the person sees. */
export const visible = (session, guild) =>
  session.visibleChannels(guild).flatMap(({ channels }) => channels.flatMap(({ channel, threads }) => [channel, ...threads]));

const mentions = (store, channels) => channels.reduce((sum, channel) => sum + (store.mentions.get(channel.id) ?? 0), 0);

/** How much waits unread for this person anywhere. */
export function waiting(session) {
  const { store } = session;
  const dms = [...store.dms.values()].filter((channel) => store.isUnread(channel)).length;
  const channels = [...store.guilds.values()].flatMap((guild) => visible(session, guild));
  return { count: dms + mentions(store, channels), unread: dms > 0 || channels.some((channel) => store.isUnread(channel)) };
}

export function drawChannels(session) {
  const { guild, store } = session;
  byId("place-name").textContent = guild?.name ?? "Direct messages";
  const list = byId("channels");
  const none = h("p.empty", {}, "No conversations yet. Choose someone in a server's member list.");
  if (guild) fill(list, session.visibleChannels(guild).map((group) => category(session, group)));
  else fill(list, store.dms.size ? [...store.dms.values()].map((channel) => channelLink(session, channel)) : none);
  // One Tab stop for the whole list; arrow keys move inside it.
  const links = [...list.querySelectorAll("button")];
  const stop = links.find((link) => link.getAttribute("aria-current") || link === document.activeElement) ?? links[0];
  for (const link of links) link.tabIndex = link === stop ? 0 : -1;
  list.onkeydown = (event) => moveFocus(event, [...list.querySelectorAll("button")]);
}

function category(session, { category: own, channels }) {
  if (!channels.length) return null;
  const folded = own && session.folded.has(own.id);
  const shown = channels.filter(({ channel }) => !folded || channel.id === session.place.channel || session.store.isUnread(channel));
  const fold = () => {
    if (!session.folded.delete(own.id)) session.folded.add(own.id);
    session.page.changed(session, ["channels"]);
  };
  const head = own && h("button.category", {
    key: `category:${own.id}`, "aria-expanded": String(!folded), onclick: fold, testid: `category-${own.name}`,
  }, icon("chevron"), own.name);
  return h("section", { "aria-label": own?.name }, head, shown.map(({ channel, threads }) => [
    channelLink(session, channel),
    threads.length > 0 && h("div.threads", {}, threads.map((thread) => channelLink(session, thread))),
  ]));
}

function channelLink(session, channel) {
  const { store, place, guild } = session;
  const user = channel.recipients?.[0];
  const name = user ? store.nameOf(user) : channel.name;
  const unread = store.isUnread(channel) && place.channel !== channel.id;
  const count = store.mentions.get(channel.id);
  const locked = guild && isPrivate(guild, channel);
  const face = user ? avatar(user, "small") : h("span.channel-icon", {}, icon(channelIcon(channel)), locked && icon("lock", "lock"));
  const kind = locked ? "private channel" : isThread(channel) ? "thread" : user ? "direct message" : "channel";
  const copyId = { label: "Copy channel ID", icon: "copy", run: () => copy(channel.id) };
  return h("button", {
    class: `channel${unread ? " unread" : ""}${isThread(channel) ? " thread" : ""}`,
    key: `channel:${channel.id}`, testid: `channel-${name}`,
    "aria-label": `${name} (${kind}${unread ? ", unread" : ""})`, "aria-current": place.channel === channel.id ? "page" : null,
    onclick: () => session.open(place.guild, channel.id),
    oncontextmenu: onRightClick((point) => menu(point, name, [copyId])),
  }, face, h("span.channel-name", {}, name), count > 0 && h("span.badge", {}, String(count)));
}

/** The seeded people, with whom one may look at this Discord. */
export function drawPeople(people, current, sessions, switchTo) {
  fill(byId("people"), people.map((person, index) => {
    const session = sessions.get(person.username);
    const news = session && session !== current ? waiting(session) : { count: 0, unread: false };
    const name = person.global_name ?? person.username;
    const shortcut = index < 9 && h("kbd", {}, `Alt ${index + 1}`);
    const unread = news.unread ? h("span.pip", { "aria-label": "unread messages" }) : shortcut;
    return h("button.person", {
      testid: `person-${person.username}`, key: `person:${person.username}`,
      "aria-pressed": String(session !== undefined && session === current),
      title: `View as ${name} (Alt+${index + 1})`, onclick: () => switchTo(person),
    },
      avatar(person, "small"),
      h("span.person-text", {}, h("span.person-name", {}, name), h("span.person-note", {}, person.note)),
      news.count > 0 ? h("span.badge", {}, String(news.count)) : unread);
  }));
}

export function drawHeader(session, toggleMembers) {
  const { channel, guild, store } = session;
  const header = byId("header");
  if (!channel) return fill(header);
  const user = channel.recipients?.[0];
  const name = user ? store.nameOf(user) : channel.name;
  const locked = guild && isPrivate(guild, channel);
  const shown = String(!document.body.classList.contains("no-members"));
  fill(header,
    user ? avatar(user, "small") : h("span.channel-icon", {}, icon(channelIcon(channel)), locked && icon("lock", "lock")),
    h("h1", { testid: "channel-title" }, name),
    channel.topic && h("div.topic", { title: channel.topic }, markdown(channel.topic.split("\n")[0], session)),
    h("span.spring"),
    iconButton("search", "Go to a channel (Ctrl+K)", () => session.page.quick(), { key: "quick" }),
    guild && iconButton("people", "Members", toggleMembers, { key: "members", testid: "toggle-members", "aria-pressed": shown }));
}

/** Members of the channel in view: under the highest role that is shown apart, the rest under "Members". */
export function drawMembers(session) {
  const { guild, store, channel } = session;
  const box = byId("members");
  box.hidden = !guild;
  if (!guild) return fill(box);
  const groups = new Map();
  for (const member of guild.members.values()) {
    if (channel && !session.sees(member.user.id, channel)) continue;
    const role = store.rolesOf(member.user.id, guild).find(({ hoist }) => hoist);
    groups.set(role?.id, { role, members: [...(groups.get(role?.id)?.members ?? []), member] });
  }
  const sorted = [...groups.values()].sort((a, b) => (b.role?.position ?? -1) - (a.role?.position ?? -1));
  fill(box, sorted.map(({ role, members }) => h("section", {},
    h("h2", {}, `${role?.name ?? "Members"} — ${members.length}`),
    members
      .map(({ user }) => ({ user, name: store.nameOf(user, guild) }))
      .sort((a, b) => a.name.localeCompare(b.name))
      .map(({ user, name }) => {
        const coloured = store.colourOf(user.id, guild);
        return h("button.member", { key: `member:${user.id}`, testid: `member-${user.username}`, dataset: { user: user.id } },
          avatar(user, "small"),
          h(`span.member-name${coloured ? ".coloured" : ""}`, { vars: coloured && { colour: hexColour(roleColour(coloured)) } }, name),
          user.bot && h("span.tag", {}, "APP"),
          guild.owner_id === user.id && h("span.crown", { title: "Server owner" }, icon("crown")));
      }))));
  const links = [...box.querySelectorAll("button")];
  links.forEach((link, index) => (link.tabIndex = index === 0 || link === document.activeElement ? 0 : -1));
  box.onkeydown = (event) => moveFocus(event, links);
}
