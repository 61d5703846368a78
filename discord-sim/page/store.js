// What one person knows of Discord: built from READY and GUILD_CREATE, kept up to date by every later event.
import { byAge } from "./dom.js";
import { canSee, isThread } from "./permissions.js";

const EPHEMERAL = 1 << 6;
const TYPING_SECONDS = 10;

export class Store {
  self = null;
  guilds = new Map();
  /** Guilds that READY named and GUILD_CREATE has not described yet. */
  pending = new Set();
  dms = new Map();
  users = new Map();
  /** Messages by channel: `{ messages, sending, loaded, loading, complete, error }`. */
  logs = new Map();
  typing = new Map();
  lastRead = new Map();
  mentions = new Map();

  /** Takes one gateway event; answers the regions of the page that it changes. */
  apply(type, data) {
    return handlers[type]?.(this, data) ?? [];
  }

  channel(id) {
    for (const guild of this.guilds.values()) if (guild.channels.has(id)) return guild.channels.get(id);
    return this.dms.get(id);
  }

  guildOf(channel) {
    return this.guilds.get(channel?.guild_id);
  }

  log(channelId) {
    if (!this.logs.has(channelId)) {
      this.logs.set(channelId, { messages: [], sending: [], loaded: false, loading: false, complete: false });
    }
    return this.logs.get(channelId);
  }

  /** The name under which someone is known in the guild. */
  nameOf(user, guild) {
    const nick = guild?.members.get(user?.id)?.nick;
    return nick || user?.global_name || user?.username || "Unknown user";
  }

  /** The colour of someone's highest coloured role, or 0. */
  colourOf(userId, guild) {
    return this.rolesOf(userId, guild).find((role) => roleColour(role)) ?? null;
  }

  /** Someone's roles, the highest first. */
  rolesOf(userId, guild) {
    const roles = (guild?.members.get(userId)?.roles ?? []).map((id) => guild.roles.get(id)).filter(Boolean);
    return roles.sort((a, b) => b.position - a.position || byAge(a.id, b.id));
  }

  addMessages(channelId, messages) {
    const log = this.log(channelId);
    const byMessageId = new Map(log.messages.map((message) => [message.id, message]));
    for (const message of messages) byMessageId.set(message.id, message);
    log.messages = [...byMessageId.values()].sort((a, b) => byAge(a.id, b.id));
    for (const message of messages) this.know(message.author, ...(message.mentions ?? []));
  }

  changeMessage(channelId, id, change) {
    const log = this.log(channelId);
    log.messages = log.messages.map((message) => (message.id === id ? { ...message, ...change(message) } : message));
    return ["messages"];
  }

  removeMessages(channelId, ids) {
    const log = this.log(channelId);
    log.messages = log.messages.filter((message) => !ids.includes(message.id));
    return ["messages"];
  }

  know(...users) {
    for (const user of users) if (user?.id) this.users.set(user.id, { ...this.users.get(user.id), ...user });
  }

  isUnread(channel) {
    const last = channel.last_message_id;
    return Boolean(last) && byAge(last, this.lastRead.get(channel.id) ?? "0") > 0;
  }

  markRead(channel) {
    const changed = this.isUnread(channel) || this.mentions.get(channel.id);
    if (channel.last_message_id) this.lastRead.set(channel.id, channel.last_message_id);
    this.mentions.delete(channel.id);
    return changed ? ["channels", "guilds", "people"] : [];
  }

  isMentioned(message) {
    const roles = this.guilds.get(message.guild_id)?.members.get(this.self?.id)?.roles ?? [];
    return Boolean(
      message.mention_everyone ||
        message.mentions?.some((user) => user.id === this.self?.id) ||
        message.mention_roles?.some((id) => roles.includes(id)),
    );
  }

  typists(channelId) {
    const now = Date.now();
    const typing = [...(this.typing.get(channelId) ?? [])].filter(([, until]) => until > now);
    return typing.map(([id]) => this.users.get(id)).filter(Boolean);
  }
}

export const isEphemeral = (message) => (message.flags & EPHEMERAL) !== 0;
export const roleColour = (role) => role.color || role.colors?.primary_color || 0;
const mapById = (list) => new Map((list ?? []).map((item) => [item.id, item]));

/** Keeps what the store already knew of a channel or thread when Discord sends it again. */
function putChannel(store, channel) {
  const guild = store.guilds.get(channel.guild_id);
  if (!guild) {
    const recipients = (channel.recipients ?? []).filter(({ id }) => id !== store.self.id);
    if (channel.type === 1 || channel.type === 3) store.dms.set(channel.id, { ...channel, recipients });
    store.know(...recipients);
  } else if (isThread(channel) && channel.thread_metadata?.archived) {
    guild.channels.delete(channel.id);
  } else {
    const known = guild.channels.get(channel.id);
    guild.channels.set(channel.id, { ...known, ...channel });
  }
  return ["channels", "guilds", "view"];
}

/** Discord names a private thread only to those who are in it or may manage threads: who may not is in it. */
function putThread(store, thread) {
  const regions = putChannel(store, thread);
  const guild = store.guilds.get(thread.guild_id);
  const put = guild?.channels.get(thread.id);
  if (put && store.self && !canSee(guild, put, store.self.id)) put.joined = new Set([...(put.joined ?? []), store.self.id]);
  return regions;
}

function dropChannel(store, { id, guild_id: guildId }) {
  store.guilds.get(guildId)?.channels.delete(id);
  store.dms.delete(id);
  store.logs.delete(id);
  return ["channels", "guilds", "view"];
}

function putMember(store, { guild_id: guildId, ...member }) {
  store.know(member.user);
  const guild = store.guilds.get(guildId);
  guild?.members.set(member.user.id, { ...guild.members.get(member.user.id), ...member });
  return ["members", "channels", "guilds", "view", "names"];
}

function putRole(store, { guild_id: guildId, role }) {
  store.guilds.get(guildId)?.roles.set(role.id, role);
  return ["members", "channels", "guilds", "view", "names"];
}

function react(store, { channel_id: channelId, message_id: id, user_id: userId, emoji }, step) {
  return store.changeMessage(channelId, id, ({ reactions = [] }) => {
    const same = (reaction) => (reaction.emoji.id ?? reaction.emoji.name) === (emoji.id ?? emoji.name);
    const before = reactions.find(same) ?? { emoji, count: 0, me: false };
    const after = { ...before, count: before.count + step, me: userId === store.self.id ? step > 0 : before.me };
    const others = reactions.some(same) ? reactions.map((r) => (same(r) ? after : r)) : [...reactions, after];
    return { reactions: others.filter(({ count }) => count > 0) };
  });
}

const handlers = {
  READY(store, data) {
    store.self = data.user;
    store.guilds.clear();
    store.dms.clear();
    store.pending = new Set((data.guilds ?? []).map(({ id }) => id));
    // After a new session only what Discord never lists again is kept: this person's ephemeral messages.
    for (const log of store.logs.values()) {
      Object.assign(log, { messages: log.messages.filter(isEphemeral), loaded: false, loading: false, complete: false, error: null });
    }
    store.know(data.user);
    for (const channel of data.private_channels ?? []) putChannel(store, channel);
    return ["guilds", "channels", "members", "people", "view"];
  },

  RESUMED(store) {
    for (const log of store.logs.values()) log.error = null;
    return ["messages"];
  },

  GUILD_CREATE(store, data) {
    store.pending.delete(data.id);
    if (data.unavailable) return [];
    const channels = (data.channels ?? []).map((channel) => ({ ...channel, guild_id: data.id }));
    const threads = (data.threads ?? []).map((thread) => ({ ...thread, guild_id: data.id }));
    const members = new Map((data.members ?? []).map((member) => [member.user.id, member]));
    const guild = { ...data, roles: mapById(data.roles), channels: mapById(channels), members };
    store.guilds.set(data.id, guild);
    store.know(...[...members.values()].map(({ user }) => user));
    for (const thread of threads) putThread(store, thread);
    for (const channel of [...channels, ...threads]) {
      if (!store.lastRead.has(channel.id)) store.lastRead.set(channel.id, channel.last_message_id ?? "0");
    }
    return ["guilds", "channels", "members", "view"];
  },
  GUILD_UPDATE(store, data) {
    const guild = store.guilds.get(data.id);
    if (guild) store.guilds.set(data.id, { ...guild, ...data, roles: data.roles ? mapById(data.roles) : guild.roles });
    return ["guilds", "channels", "members", "view"];
  },
  GUILD_DELETE(store, { id }) {
    store.guilds.delete(id);
    return ["guilds", "channels", "members", "view"];
  },

  CHANNEL_CREATE: putChannel,
  CHANNEL_UPDATE: putChannel,
  CHANNEL_DELETE: dropChannel,
  THREAD_CREATE: putThread,
  THREAD_UPDATE: putChannel,
  THREAD_DELETE: dropChannel,
  THREAD_LIST_SYNC(store, { threads, guild_id: guildId }) {
    for (const thread of threads ?? []) putThread(store, { ...thread, guild_id: guildId });
    return ["channels", "guilds", "view"];
  },
  THREAD_MEMBER_UPDATE(store, member) {
    const thread = store.channel(member.id);
    return thread ? putChannel(store, { ...thread, member }) : [];
  },
  THREAD_MEMBERS_UPDATE(store, { id, added_members: added = [], removed_member_ids: removed = [] }) {
    const thread = store.channel(id);
    if (!thread) return [];
    const joined = new Set([...(thread.joined ?? []), ...added.map((member) => member.user_id)]);
    for (const user of removed) joined.delete(user);
    const member = removed.includes(store.self.id) ? undefined : thread.member;
    return putChannel(store, { ...thread, joined, member });
  },

  GUILD_MEMBER_ADD: putMember,
  GUILD_MEMBER_UPDATE: putMember,
  GUILD_MEMBER_REMOVE(store, { guild_id: guildId, user }) {
    store.guilds.get(guildId)?.members.delete(user.id);
    return ["members", "channels", "view"];
  },
  GUILD_MEMBERS_CHUNK(store, { guild_id: guildId, members }) {
    for (const member of members) putMember(store, { ...member, guild_id: guildId });
    return ["members", "channels", "view"];
  },
  GUILD_ROLE_CREATE: putRole,
  GUILD_ROLE_UPDATE: putRole,
  GUILD_ROLE_DELETE(store, { guild_id: guildId, role_id: roleId }) {
    store.guilds.get(guildId)?.roles.delete(roleId);
    return ["members", "channels", "view", "names"];
  },

  MESSAGE_CREATE(store, message) {
    const channel = store.channel(message.channel_id);
    const log = store.log(message.channel_id);
    log.sending = log.sending.filter(({ nonce }) => nonce !== message.nonce);
    store.addMessages(message.channel_id, [message]);
    store.typing.get(message.channel_id)?.delete(message.author.id);
    if (channel && !isEphemeral(message)) {
      channel.last_message_id = message.id;
      if (message.author.id === store.self?.id) store.markRead(channel);
      else if (store.isMentioned(message)) store.mentions.set(channel.id, (store.mentions.get(channel.id) ?? 0) + 1);
    }
    return ["messages", "channels", "guilds", "people", "typing"];
  },
  MESSAGE_UPDATE: (store, message) => store.changeMessage(message.channel_id, message.id, () => message),
  MESSAGE_DELETE: (store, { channel_id: channel, id }) => store.removeMessages(channel, [id]),
  MESSAGE_DELETE_BULK: (store, { channel_id: channel, ids }) => store.removeMessages(channel, ids),
  MESSAGE_REACTION_ADD: (store, data) => react(store, data, 1),
  MESSAGE_REACTION_REMOVE: (store, data) => react(store, data, -1),
  MESSAGE_REACTION_REMOVE_ALL: (store, data) => store.changeMessage(data.channel_id, data.message_id, () => ({ reactions: [] })),

  TYPING_START(store, { channel_id: channelId, user_id: userId }) {
    if (userId === store.self?.id) return [];
    if (!store.typing.has(channelId)) store.typing.set(channelId, new Map());
    store.typing.get(channelId).set(userId, Date.now() + TYPING_SECONDS * 1000);
    return ["typing"];
  },
  USER_UPDATE(store, user) {
    store.self = { ...store.self, ...user };
    store.know(user);
    return ["members", "people"];
  },
};
