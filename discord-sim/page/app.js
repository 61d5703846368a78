// The page's beginning: who there is to view as, whose view is shown, and what is drawn again when something changed.
import { avatarColours, byId, dots, fill, h, toast } from "./dom.js";
import { Composer } from "./composer.js";
import { plain } from "./markdown.js";
import { MessageList } from "./messages.js";
import { openModal } from "./modal.js";
import { closeAll, profile, quickSwitcher } from "./overlay.js";
import { canSee } from "./permissions.js";
import { Session } from "./session.js";
import { drawChannels, drawHeader, drawMembers, drawPeople, drawRail, visible, waiting } from "./sidebar.js";

const NARROW = 1080;

/** A session per person, kept connected once opened, so that switching back is instant. */
const sessions = new Map();
let current = null;

const composer = new Composer(() => messages.editLast());
const messages = new MessageList(composer);
const queued = new Set();

const page = {
  people: [],
  changed(session, regions) {
    if (session !== current) regions = regions.includes("people") ? ["people"] : [];
    if (regions.length && !queued.size) setTimeout(draw);
    for (const region of regions) queued.add(region);
  },
  modal: (session, modal) => session === current && openModal(session, modal),
  message: (session, message) => session === current && announce(session, message),
  quick: () => quickSwitcher(current, page.people, switchTo),
  refused,
};

async function loadPeople() {
  for (;;) {
    try {
      const response = await fetch("/_sim/people");
      if (response.ok) page.people = await response.json();
      for (const person of page.people) avatarColours.set(person.id, person.avatar_color);
      if (response.ok) return page.people;
    } catch {
      // The simulator is not there yet: asked again below.
    }
    banner("The simulator does not answer. Trying again…");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function start() {
  await loadPeople();
  banner();
  if (innerWidth < NARROW) document.body.classList.add("no-members");
  const [username, guild, channel] = readHash();
  const person = page.people.find((someone) => someone.username === username) ?? page.people[0];
  if (!person) return banner("This simulator has no people to view as.");
  switchTo(person, guild && { guild: guild === "@me" ? null : guild, channel: channel ?? null });
}

const readHash = () => decodeURIComponent(location.hash).replace(/^#\/?/, "").split("/").filter(Boolean);

/** Looks at Discord as someone else; their drafts, place and unread marks are as they were left. */
function switchTo(person, place) {
  if (!sessions.has(person.username)) {
    const session = new Session(person, page);
    if (place) session.place = place;
    sessions.set(person.username, session);
  }
  if (current?.person.username === person.username && !place) return composer.focus();
  closeAll();
  current = sessions.get(person.username);
  page.changed(current, ["guilds", "channels", "members", "people", "view", "banner"]);
  draw();
  composer.focus();
}

/** The simulator was started afresh and does not know the token: people are asked for again. */
async function refused(session) {
  const people = await loadPeople();
  const person = people.find(({ username }) => username === session.person.username);
  if (person && person.token !== session.person.token) session.renew(person);
  page.changed(current, ["people", "banner"]);
}

function draw() {
  const regions = new Set(queued);
  queued.clear();
  if (!current) return;
  if (regions.has("banner")) banner(current.state === "offline" || current.state === "refused" ? "Connection lost. Reconnecting…" : "");
  if (regions.has("view")) view();
  if (regions.has("guilds")) drawRail(current);
  if (regions.has("channels")) drawChannels(current);
  if (regions.has("members") || regions.has("view")) drawMembers(current);
  if (regions.has("names") && !current.editing) messages.show(current, current.channel);
  if (regions.has("messages")) messages.update();
  if (regions.has("typing")) drawTyping();
  markRead();
  if (regions.has("people") || regions.has("guilds")) {
    drawPeople(page.people, current, sessions, switchTo);
    drawTitle();
  }
}

/** Shows the place in view, or another when that one is gone for this person. */
function view() {
  const lost = current.settle();
  if (lost) toast(`${lost} is no longer there for you`);
  const { channel, place, store } = current;
  if (messages.shown !== channel || messages.session !== current) messages.show(current, channel);
  drawHeader(current, toggleMembers);
  composer.show(current, channel);
  if (document.activeElement === document.body) composer.focus();
  drawTyping();
  drawTitle();
  const hash = [current.person.username, place.guild ?? "@me", place.channel].filter(Boolean).join("/");
  if (store.self && readHash().join("/") !== hash) history.replaceState(null, "", `#/${hash}`);
}

function markRead() {
  const { channel, store } = current;
  if (channel && store.log(channel.id).loaded && document.visibilityState === "visible") page.changed(current, store.markRead(channel));
}

function drawTitle() {
  const news = current.store.self ? waiting(current) : { count: 0 };
  const where = current.channel?.name ? `#${current.channel.name}` : current.guild?.name;
  document.title = [news.count && `(${news.count})`, where, "Local Discord"].filter(Boolean).join(" · ").replace(") ·", ")");
}

function drawTyping() {
  const { store, place, guild } = current;
  const names = store.typists(place.channel).map((user) => store.nameOf(user, guild));
  const who = names.length > 3 ? "Several people" : new Intl.ListFormat("en").format(names);
  fill(byId("typing"), names.length > 0 && [
    dots(), h("strong", {}, who), names.length === 1 ? " is typing…" : " are typing…",
  ]);
}

let bannerTimer;

/** Says what is wrong, unless it is over in a blink. */
function banner(text = "") {
  clearTimeout(bannerTimer);
  byId("banner").hidden = !text || byId("banner").hidden;
  byId("banner").textContent = text;
  if (text) bannerTimer = setTimeout(() => (byId("banner").hidden = false), 500);
}

/** Reads a new message in view aloud to screen readers. */
function announce(session, message) {
  if (message.channel_id !== session.place.channel || message.author.id === session.store.self.id) return;
  const name = session.store.nameOf(message.author, session.guild);
  byId("live").textContent = `${name}: ${plain(message.content, session) || message.embeds?.[0]?.title || "new message"}`;
}

function toggleMembers() {
  document.body.classList.toggle("no-members");
  drawHeader(current, toggleMembers);
}

/** The neighbouring channel in the list, for Alt with an arrow key. */
function step(by) {
  if (!current.guild) return;
  const channels = visible(current, current.guild);
  const at = channels.findIndex(({ id }) => id === current.place.channel);
  current.open(current.guild.id, channels[(at + by + channels.length) % channels.length]?.id);
}

document.addEventListener("keydown", (event) => {
  if (!current) return;
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  const arrow = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.altKey && digit && page.people[digit - 1]) switchTo(page.people[digit - 1]);
  else if (event.altKey && arrow) step(arrow);
  else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") document.querySelector("dialog[open]") ?? page.quick();
  else {
    const letter = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.altKey && !event.metaKey;
    const busy = document.activeElement.matches("input, textarea") || document.querySelector("dialog[open], :popover-open");
    if (letter && !busy) composer.focus();
    return;
  }
  event.preventDefault();
});

document.addEventListener("click", ({ target }) => {
  const user = target.closest("[data-user]");
  const channel = target.closest("[data-channel]");
  if (user) profile(current, user.dataset.user, user);
  if (!channel) return;
  const found = current.store.channel(channel.dataset.channel);
  const guild = current.store.guildOf(found);
  if (found && (!guild || canSee(guild, found, current.store.self.id))) current.open(guild?.id, found.id);
  else toast("You do not see this channel");
});

window.addEventListener("hashchange", () => {
  const [username, guild, channel] = readHash();
  const person = page.people.find((someone) => someone.username === username);
  if (person) switchTo(person);
  if (person && guild) current.open(guild === "@me" ? null : guild, channel);
});
window.addEventListener("online", () => sessions.forEach((session) => session.gateway.hurry()));
document.addEventListener("visibilitychange", () => current && page.changed(current, ["people", "channels"]));
setInterval(() => current && drawTyping(), 2000);

start();
