// The list of messages of the channel in view: grouping, dividers, older pages, and staying at the newest one.
import { avatar, byAge, byId, clock, dots, fill, h, icon, longDate, toast } from "./dom.js";
import { plain, refreshTimestamps } from "./markdown.js";
import { isSystem, messageElement } from "./message.js";
import { appEntries, confirm, copy, menu, profile } from "./overlay.js";
import { may, Permission } from "./permissions.js";
import { isEphemeral } from "./store.js";

const GROUP_MS = 7 * 60000;
const NEAR_TOP = 200;
const NEAR_BOTTOM = 60;

export class MessageList {
  session = null;
  shown = null;
  #channelId = null;
  /** Elements already made, by message id, with what they were made of. */
  #made = new Map();
  /** Whether the newest message stays in view as more arrive. */
  #sticky = true;
  #top = 0;
  #newSince = null;

  constructor(composer) {
    this.composer = composer;
    this.scroller = byId("scroller");
    this.list = byId("messages");
    this.scroller.addEventListener("scroll", () => this.#scrolled());
    this.list.addEventListener("keydown", (event) => this.#arrows(event));
    this.list.addEventListener("click", (event) => this.#jump(event.target.closest("[data-jump]")?.dataset.jump));
    byId("to-newest").addEventListener("click", () => this.#toBottom());
    const grown = new ResizeObserver(() => this.#sticky && this.#toBottom());
    grown.observe(this.list);
    grown.observe(this.scroller);
    setInterval(() => refreshTimestamps(this.list), 5000);
  }

  /** Shows a channel, from its newest message. */
  show(session, channel) {
    const same = session === this.session && channel?.id === this.#channelId;
    this.#made.clear();
    Object.assign(this, { session, shown: channel });
    this.#channelId = channel?.id ?? null;
    if (!same) {
      this.#sticky = true;
      const read = session.store.lastRead.get(channel?.id);
      this.#newSince = channel && read && read !== "0" && session.store.isUnread(channel) ? read : null;
      this.list.replaceChildren();
    }
    this.update();
  }

  /** Draws what changed; elements of unchanged messages stay as they are. */
  update() {
    const session = this.session;
    const channel = session?.store.channel(this.#channelId);
    if (!channel) return fill(this.list);
    const log = session.store.log(channel.id);
    if (isForum(channel)) Object.assign(log, { loaded: true, complete: true });
    if (!log.loaded && !log.loading && !log.error) session.load(channel.id);
    const before = this.scroller.scrollHeight - this.scroller.scrollTop;
    const top = this.scroller.scrollTop;
    const items = [this.#beginning(log, channel, session)];
    let previous = null;
    let divided = this.#newSince === null;
    for (const message of log.messages) {
      const day = new Date(message.timestamp).toDateString();
      const newDay = day !== (previous && new Date(previous.timestamp).toDateString());
      if (newDay) items.push(h("li.divider", { role: "separator" }, h("span", {}, longDate(new Date(message.timestamp)))));
      const isNew = !divided && byAge(message.id, this.#newSince) > 0 && message.author.id !== session.store.self.id;
      if (isNew) items.push(h("li.divider.new", { role: "separator" }, h("span", {}, "New")));
      divided ||= isNew;
      items.push(this.#element(session, message, !newDay && !isNew && follows(message, previous)));
      previous = message;
    }
    items.push(log.sending.map((sending) => this.#sending(session, channel.id, sending)));
    fill(this.list, items);
    this.list.querySelector(".message:last-of-type")?.setAttribute("tabindex", "0");
    if (this.#sticky) this.#toBottom();
    else this.scroller.scrollTop = this.#grewOnTop ? this.scroller.scrollHeight - before : top;
    this.#grewOnTop = false;
  }

  #grewOnTop = false;

  #element(session, message, grouped) {
    const made = this.#made.get(message.id);
    const editing = session.editing === message.id;
    if (made?.message === message && made.grouped === grouped && made.editing === editing) return made.element;
    const { store } = session;
    const element = messageElement({ session, store, guild: store.guildOf(this.shown), message, grouped, actions: this.#actions });
    this.#made.set(message.id, { message, grouped, editing, element });
    return element;
  }

  #beginning(log, channel, session) {
    if (log.error) {
      const retry = () => { log.error = null; this.update(); };
      return h("li.beginning", {},
        h("p.failed", {}, `Messages could not be loaded: ${log.error} `),
        h("button.button.secondary", { onclick: retry }, "Try again"));
    }
    if (!log.loaded) return h("li.loading", {}, [1, 2, 3].map(() => h("div.skeleton", {}, h("i"), h("b"), h("s"))));
    if (!log.complete) return h("li.loading", {}, h("div.muted", {}, "Loading older messages…"));
    const user = channel.recipients?.[0];
    const name = user ? session.store.nameOf(user) : `#${channel.name}`;
    let about = `This is the start of the ${name} channel. ${plain(channel.topic, session)}`;
    if (user) about = `This is the beginning of your direct messages with ${name}.`;
    if (isForum(channel)) about = "The posts of this forum are listed beneath its name.";
    return h("li.beginning", {},
      user ? avatar(user, "large") : h("span.big-icon", {}, icon(channel.type >= 10 && channel.type <= 12 ? "thread" : "hash")),
      h("h2", {}, user ? name : `Welcome to ${name}!`),
      h("p", {}, about));
  }

  /** A message on its way (or one that did not get there), and a command under way. */
  #sending(session, channelId, sending) {
    const { store } = session;
    const forget = () => session.forget(channelId, sending);
    const again = () => { forget(); session.send(channelId, sending.content, sending.files, sending.reply); };
    const text = sending.command ?? sending.content;
    const files = sending.files?.map(({ name }) => h("div.muted", {}, name));
    const state = sending.failed
      ? h("div.failed", { role: "alert", testid: "send-failed" }, icon("warning"), sending.failed, " · ",
          !sending.command && [h("button.text-link", { onclick: again }, "Retry"), " · "],
          h("button.text-link", { onclick: forget }, "Dismiss"))
      : sending.command && h("div.thinking", {}, dots(), "Sending command…");
    return h(`li.message.sending${sending.failed ? ".refused" : ""}`, {},
      avatar(store.self),
      h("div.message-body", {},
        h("div.message-head", {}, h("span.author", {}, store.nameOf(store.self, session.guild)), h("time.time", {}, clock(new Date()))),
        h("div.sending-text", {}, text), files, state));
  }

  #actions = {
    reply: (message) => this.composer.reply(message),
    edit: (message) => this.edit(message),
    finishEdit: (message, text) => this.#finishEdit(message, text),
    dismiss: (message) => this.session.dismiss(message),
    remove: (message) => this.#remove(message),
    react: (message, reaction) => this.#react(message, reaction),
    menu: (message, anchor) => this.#menu(message, anchor),
  };

  edit(message) {
    this.session.editing = message.id;
    this.update();
    const field = this.list.querySelector(`[data-key="edit:${message.id}"]`);
    field?.focus();
    field?.setSelectionRange(field.value.length, field.value.length);
    field?.scrollIntoView({ block: "nearest" });
  }

  /** The Up key in an empty composer. */
  editLast() {
    const { store } = this.session;
    const own = store.log(this.#channelId).messages.findLast((message) => message.author.id === store.self.id && !isSystem(message));
    if (own) this.edit(own);
  }

  #finishEdit(message, text) {
    this.session.editing = null;
    this.update();
    this.composer.focus();
    if (text === null || text.trim() === message.content) return;
    if (!text.trim()) return this.#remove(message);
    this.session.api.patch(`/channels/${message.channel_id}/messages/${message.id}`, { content: text.trim() }).catch(said);
  }

  #remove(message) {
    const { api } = this.session;
    confirm("Delete message", "Are you sure that you want to delete this message?", "Delete", () =>
      api.delete(`/channels/${message.channel_id}/messages/${message.id}`).catch(said));
  }

  #react(message, { emoji, me }) {
    const { api } = this.session;
    const name = encodeURIComponent(emoji.id ? `${emoji.name}:${emoji.id}` : emoji.name);
    const path = `/channels/${message.channel_id}/messages/${message.id}/reactions/${name}/@me`;
    (me ? api.delete(path) : api.put(path)).catch(said);
  }

  async #menu(message, anchor) {
    const session = this.session;
    const { store, guild, channel } = session;
    const own = message.author.id === store.self.id;
    const real = !isEphemeral(message);
    const apps = real ? await appEntries(session, 3, message.id, "on a message") : [];
    const author = () => profile(session, message.author.id, this.#made.get(message.id)?.element ?? this.list);
    const react = (name) => ({
      label: `React with ${name}`, icon: "smile", run: () => this.#react(message, { emoji: { name, id: null } }),
    });
    const mayReact = real && channel && may(guild, channel, store.self.id, Permission.ADD_REACTIONS);
    menu(anchor, "Message", [
      real && { label: "Reply", icon: "reply", run: () => this.composer.reply(message) },
      own && real && { label: "Edit message", icon: "pencil", run: () => this.edit(message) },
      ...(mayReact ? ["👍", "❤️", "🎉", "✅"].map(react) : []),
      { label: "Profile", icon: "people", run: author },
      message.content && { label: "Copy text", icon: "copy", run: () => copy(message.content) },
      { label: "Copy message ID", icon: "copy", run: () => copy(message.id) },
      !real && { label: "Dismiss message", icon: "close", run: () => session.dismiss(message) },
      real && (own || (guild && may(guild, channel, store.self.id, Permission.MANAGE_MESSAGES))) &&
        { label: "Delete message", icon: "trash", danger: true, run: () => this.#remove(message) },
      ...apps,
    ]);
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    // Content that grows moves the end away without anybody scrolling: only going up leaves the newest message.
    if (scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM) this.#sticky = true;
    else if (scrollTop < this.#top) this.#sticky = false;
    this.#top = scrollTop;
    byId("to-newest").hidden = this.#sticky;
    const log = this.session?.store.log(this.#channelId);
    if (scrollTop < NEAR_TOP && log?.loaded && !log.complete && !log.loading) {
      this.#grewOnTop = true;
      this.session.load(this.#channelId, true);
    }
  }

  #toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#top = this.scroller.scrollTop;
  }

  #arrows(event) {
    if (event.target.closest("textarea, .select")) return;
    const messages = [...this.list.querySelectorAll(".message")];
    const at = messages.indexOf(event.target.closest(".message"));
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: messages.length - 1 }[event.key];
    if (at < 0 || !messages[to]) return;
    event.preventDefault();
    for (const message of messages) message.setAttribute("tabindex", "-1");
    messages[to].setAttribute("tabindex", "0");
    messages[to].focus();
  }

  #jump(id) {
    const target = id && this.list.querySelector(`.message[data-id="${id}"]`);
    if (!target) return;
    target.scrollIntoView({ block: "center" });
    target.focus({ preventScroll: true });
  }
}

const isForum = ({ type }) => type === 15 || type === 16;
const said = (error) => toast(error.message, "error");

/** Whether a message stands under the one before without a head of its own. */
function follows(message, previous) {
  return Boolean(previous) &&
    previous.author.id === message.author.id && previous.author.username === message.author.username &&
    previous.webhook_id === message.webhook_id &&
    !isSystem(message) && !isSystem(previous) && message.type === 0 &&
    isEphemeral(message) === isEphemeral(previous) &&
    !message.interaction && !message.interaction_metadata &&
    new Date(message.timestamp) - new Date(previous.timestamp) < GROUP_MS;
}
