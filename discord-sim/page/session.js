// One person signed in: their token, connection and knowledge, where they are looking, and what they do.
import { Api, attachments } from "./api.js";
import { byAge, nonce } from "./dom.js";
import { Gateway } from "./gateway.js";
import { Interactions } from "./interactions.js";
import { canSee, isThread } from "./permissions.js";
import { Store } from "./store.js";

const PAGE_SIZE = 50;
const TYPING_EVERY_MS = 8000;

/** `page` is told what changed: `changed(session, regions)`, `modal(session, modal)`, `message(session, message)`. */
export class Session {
  store = new Store();
  interactions = new Interactions(this);
  state = "connecting";
  /** Where they look: ids, `guild` is null among direct messages and undefined before anything was chosen. */
  place = { guild: undefined, channel: null };
  /** What each channel's composer holds: `{ text, reply }`. */
  drafts = new Map();
  /** Ids of messages with a click under way or a failed one: "waiting:<custom id>" | "failed". */
  clicks = new Map();
  /** Categories that are folded in the channel list. */
  folded = new Set();
  /** The message that is being edited. */
  editing = null;
  #shownName = null;
  #lastChannel = new Map();
  #commands = new Map();
  #typed = 0;

  constructor(person, page) {
    Object.assign(this, { person, page, api: new Api(person.token) });
    this.gateway = new Gateway(person.token, {
      onDispatch: (type, data) => this.#dispatch(type, data),
      onState: (state) => this.#connection(state),
    });
    this.gateway.open();
  }

  /** Signs in again with a new token, for when the simulator was started afresh. */
  renew(person) {
    this.person = person;
    this.api.token = person.token;
    this.gateway.token = person.token;
    this.gateway.hurry();
  }

  get guild() {
    return this.store.guilds.get(this.place.guild);
  }

  get channel() {
    return this.store.channel(this.place.channel);
  }

  /** Whether someone of this guild sees a channel. */
  sees(userId, channel) {
    return canSee(this.guild, channel, userId);
  }

  #dispatch(type, data) {
    if (type === "GUILD_APPLICATION_COMMAND_INDEX_UPDATE") this.#commands.delete(data.guild_id);
    this.interactions.event(type, data);
    const regions = this.store.apply(type, data);
    if (type === "MESSAGE_CREATE") this.page.message(this, data);
    if (regions.length) this.page.changed(this, regions);
  }

  #connection(state) {
    this.state = state;
    this.page.changed(this, ["banner"]);
    if (state === "refused") this.page.refused(this);
  }

  /** The channels of a guild that this person may see, in Discord's order, by category. */
  visibleChannels(guild) {
    const all = [...guild.channels.values()].filter((channel) => canSee(guild, channel, this.store.self.id));
    const sorted = all.sort((a, b) => isVoice(a) - isVoice(b) || (a.position ?? 0) - (b.position ?? 0) || byAge(a.id, b.id));
    const threads = (parent) => sorted.filter((channel) => isThread(channel) && channel.parent_id === parent);
    const inside = (category) =>
      sorted
        .filter((channel) => channel.type !== 4 && !isThread(channel) && (channel.parent_id ?? null) === category)
        .map((channel) => ({ channel, threads: threads(channel.id) }));
    // A category stands in the list for its visible channels, even when it is not visible itself.
    const categories = [...guild.channels.values()].filter((channel) => channel.type === 4).sort((a, b) => a.position - b.position);
    return [{ category: null, channels: inside(null) }, ...categories.map((category) => ({ category, channels: inside(category.id) }))];
  }

  /** Where to look when nothing is chosen: the last place in this guild, else its first text channel. */
  defaultChannel(guild) {
    const last = guild.channels.get(this.#lastChannel.get(guild.id));
    if (last && canSee(guild, last, this.store.self.id)) return last;
    const channels = this.visibleChannels(guild).flatMap((group) => group.channels.map(({ channel }) => channel));
    return channels.find((channel) => channel.type === 0 || channel.type === 5);
  }

  /** Goes to a channel (or a guild's or the direct messages' usual place). */
  open(guildId, channelId) {
    const guild = this.store.guilds.get(guildId);
    const dms = [...this.store.dms.values()];
    const channel = channelId ? this.store.channel(channelId) : guild ? this.defaultChannel(guild) : dms[0];
    this.place = { guild: guildId ?? null, channel: channel?.id ?? null };
    if (guild && channel) this.#lastChannel.set(guild.id, channel.id);
    this.page.changed(this, ["guilds", "channels", "members", "view"]);
  }

  /** Goes home when the place in view is not there (any more) for this person; answers the name of what was lost. */
  settle() {
    const { store, place, guild, channel } = this;
    if (!store.self || store.pending.has(place.guild) || (!store.guilds.size && store.pending.size)) return null;
    if (channel && (place.guild === null || (guild && canSee(guild, channel, store.self.id)))) {
      this.#shownName = channel.name ? `#${channel.name}` : null;
      return null;
    }
    const stay = guild || (place.guild === null && store.dms.size);
    const home = stay ? guild : [...store.guilds.values()][0];
    const to = home ? this.defaultChannel(home) : [...store.dms.values()][0];
    if ((home?.id ?? null) !== place.guild || (to?.id ?? null) !== place.channel) this.open(home?.id ?? null, to?.id);
    const lost = place.channel && this.#shownName;
    this.#shownName = null;
    return lost;
  }

  /** Fetches the newest messages, or with `older` the page before the oldest one known. */
  async load(channelId, older = false) {
    const log = this.store.log(channelId);
    if (log.loading || (older ? log.complete : log.loaded)) return;
    log.loading = true;
    const oldest = older && log.messages[0] ? `&before=${log.messages[0].id}` : "";
    try {
      const messages = await this.api.get(`/channels/${channelId}/messages?limit=${PAGE_SIZE}${oldest}`);
      this.store.addMessages(channelId, messages);
      Object.assign(log, { loaded: true, complete: messages.length < PAGE_SIZE, error: null });
    } catch (error) {
      log.error = error.message;
    }
    log.loading = false;
    this.page.changed(this, ["messages"]);
  }

  async send(channelId, content, files = [], reply = null) {
    const log = this.store.log(channelId);
    const sending = { nonce: nonce(), content, files, reply, failed: null };
    log.sending = [...log.sending, sending];
    this.#typed = 0;
    this.page.changed(this, ["messages"]);
    const body = { content, nonce: sending.nonce };
    if (files.length) body.attachments = attachments(files);
    if (reply) body.message_reference = { message_id: reply, channel_id: channelId };
    try {
      const message = await this.api.post(`/channels/${channelId}/messages`, body, files);
      this.store.addMessages(channelId, [message]);
      this.forget(channelId, sending);
    } catch (error) {
      sending.failed = error.message;
      this.page.changed(this, ["messages"]);
    }
  }

  forget(channelId, sending) {
    const log = this.store.log(channelId);
    log.sending = log.sending.filter((other) => other !== sending);
    this.page.changed(this, ["messages"]);
  }

  /** Tells the others that this person is typing, at most every few seconds. */
  type(channelId) {
    if (Date.now() - this.#typed < TYPING_EVERY_MS) return;
    this.#typed = Date.now();
    this.api.post(`/channels/${channelId}/typing`).catch(() => {});
  }

  dismiss(message) {
    this.page.changed(this, this.store.removeMessages(message.channel_id, [message.id]));
  }

  async message(userId) {
    const dm = await this.api.post("/users/@me/channels", { recipient_id: userId });
    this.store.apply("CHANNEL_CREATE", dm);
    this.open(null, dm.id);
  }

  /** Sends a component's click and keeps the message's state for its footer. */
  async click(message, component, values) {
    const mark = (state) => {
      if (state) this.clicks.set(message.id, state);
      else this.clicks.delete(message.id);
      this.page.changed(this, this.store.changeMessage(message.channel_id, message.id, () => ({})));
    };
    mark(`waiting:${component.custom_id}`);
    try {
      await this.interactions.component(message, component, values);
      mark(null);
    } catch {
      mark("failed");
    }
  }

  /** Runs a command; while it is under way and when it fails a line at the channel's end says so. */
  async run(command, channelId, path, options, files, target) {
    const log = this.store.log(channelId);
    const note = { nonce: nonce(), command: `/${path}`, application: command.application, failed: null };
    log.sending = [...log.sending, note];
    this.page.changed(this, ["messages"]);
    try {
      await this.interactions.command(command, channelId, options, files, target);
      this.forget(channelId, note);
    } catch (error) {
      note.failed = error.status ? error.message : "The application did not respond";
      this.page.changed(this, ["messages"]);
    }
  }

  /** The guild's commands, each with its application. Asked again each time: applications register at any moment. */
  async commands(guildId) {
    const known = this.#commands.get(guildId);
    if (!known || Date.now() - known.at > 2000) {
      const index = this.api.get(`/guilds/${guildId}/application-command-index`).then((answer) => {
        const applications = new Map(answer.applications.map((application) => [application.id, application]));
        return answer.application_commands.map((command) => ({ ...command, application: applications.get(command.application_id) }));
      });
      this.#commands.set(guildId, { at: Date.now(), index });
      index.catch(() => this.#commands.delete(guildId));
    }
    return this.#commands.get(guildId).index;
  }
}

const isVoice = (channel) => channel.type === 2 || channel.type === 13;
