// Discord's permission arithmetic: who may do what in which channel.

export const Permission = Object.freeze({
  ADMINISTRATOR: 1n << 3n,
  MANAGE_CHANNELS: 1n << 4n,
  ADD_REACTIONS: 1n << 6n,
  VIEW_CHANNEL: 1n << 10n,
  SEND_MESSAGES: 1n << 11n,
  MANAGE_MESSAGES: 1n << 13n,
  ATTACH_FILES: 1n << 15n,
  READ_MESSAGE_HISTORY: 1n << 16n,
  USE_APPLICATION_COMMANDS: 1n << 31n,
  MANAGE_THREADS: 1n << 34n,
  SEND_MESSAGES_IN_THREADS: 1n << 38n,
});
const EVERYTHING = (1n << 64n) - 1n;
const PRIVATE_THREAD = 12;

/** What a member may do in the guild as a whole: the union of their roles. */
function guildPermissions(guild, userId) {
  if (guild.owner_id === userId) return EVERYTHING;
  const member = guild.members.get(userId);
  let bits = BigInt(guild.roles.get(guild.id)?.permissions ?? 0);
  for (const role of member?.roles ?? []) bits |= BigInt(guild.roles.get(role)?.permissions ?? 0);
  if (bits & Permission.ADMINISTRATOR) return EVERYTHING;
  const muted = member?.communication_disabled_until && new Date(member.communication_disabled_until) > new Date();
  return muted ? bits & (Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY) : bits;
}

/** The same in one channel: @everyone's overwrite, then the roles' together, then the member's own. */
export function channelPermissions(guild, channel, userId) {
  let bits = guildPermissions(guild, userId);
  if (bits === EVERYTHING) return bits;
  const place = isThread(channel) ? guild.channels.get(channel.parent_id) : channel;
  if (!place) return 0n;
  const overwrites = new Map((place.permission_overwrites ?? []).map((overwrite) => [overwrite.id, overwrite]));
  const apply = (allow, deny) => (bits = (bits & ~deny) | allow);
  const everyone = overwrites.get(guild.id);
  if (everyone) apply(BigInt(everyone.allow), BigInt(everyone.deny));
  let [allow, deny] = [0n, 0n];
  for (const role of guild.members.get(userId)?.roles ?? []) {
    const overwrite = overwrites.get(role);
    if (overwrite) [allow, deny] = [allow | BigInt(overwrite.allow), deny | BigInt(overwrite.deny)];
  }
  apply(allow, deny);
  const own = overwrites.get(userId);
  if (own) apply(BigInt(own.allow), BigInt(own.deny));
  return bits & Permission.VIEW_CHANNEL ? bits : 0n;
}

export const isThread = (channel) => channel.type >= 10 && channel.type <= 12;

export function may(guild, channel, userId, permission) {
  return !guild || (channelPermissions(guild, channel, userId) & permission) !== 0n;
}

/** Whether the channel belongs in the person's list; a private thread also needs membership or MANAGE_THREADS. */
export function canSee(guild, channel, userId) {
  if (!may(guild, channel, userId, Permission.VIEW_CHANNEL)) return false;
  if (channel.type !== PRIVATE_THREAD) return true;
  const joined = channel.owner_id === userId || channel.member || channel.joined?.has(userId);
  return joined || may(guild, channel, userId, Permission.MANAGE_THREADS);
}

export function canSend(guild, channel, userId) {
  if (channel.type === 4 || channel.type === 15 || channel.type === 16) return false;
  const needed = isThread(channel) ? Permission.SEND_MESSAGES_IN_THREADS : Permission.SEND_MESSAGES;
  const locked = channel.thread_metadata?.locked && !may(guild, channel, userId, Permission.MANAGE_THREADS);
  return !locked && may(guild, channel, userId, needed);
}

/** A lock is shown where @everyone may not look. */
export function isPrivate(guild, channel) {
  const overwrite = (channel.permission_overwrites ?? []).find(({ id }) => id === guild.id);
  return channel.type === PRIVATE_THREAD || (overwrite && (BigInt(overwrite.deny) & Permission.VIEW_CHANNEL) !== 0n);
}

/** Whether a command is offered to someone whose permissions in the channel are `bits`. */
export function mayUse(command, bits) {
  if (command.default_member_permissions === null || command.default_member_permissions === undefined) return true;
  const needed = BigInt(command.default_member_permissions);
  if (bits & Permission.ADMINISTRATOR) return true;
  return needed !== 0n && (bits & needed) === needed;
}
