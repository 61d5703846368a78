// discord.js against the simulator: what a bot does from login to reconnect. Reads DISCORD_API_URL and DISCORD_TOKEN.
import {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  ChannelType,
  Client,
  EmbedBuilder,
  GatewayIntentBits,
  LabelBuilder,
  MessageFlags,
  ModalBuilder,
  Partials,
  PermissionFlagsBits,
  SlashCommandBuilder,
  StringSelectMenuBuilder,
  TextInputBuilder,
  TextInputStyle,
  UserSelectMenuBuilder,
} from "discord.js";
import { Person, Simulator, assert, check, finish, next, refused, same } from "./checks.mjs";

const api = process.env.DISCORD_API_URL;
const simulator = new Simulator(api);
const client = new Client({
  intents: [
    GatewayIntentBits.Guilds,
    GatewayIntentBits.GuildMembers,
    GatewayIntentBits.GuildMessages,
    GatewayIntentBits.GuildMessageReactions,
    GatewayIntentBits.DirectMessages,
    GatewayIntentBits.MessageContent,
  ],
  partials: [Partials.Channel, Partials.Message],
  rest: { api: api.replace(/\/v10$/, "") },
});
client.on("error", (error) => console.error("client:", error));
if (process.env.DEBUG) client.on("debug", (text) => console.error(text));

// Without this addon the library asks for no compression.
const compression = await import("zlib-sync").then(
  () => "zlib-stream",
  () => "no compression",
);
let guild, general, mia, sam;
/** The next interaction at the bot for which `matches` holds. */
const asked = (matches) => next(client, "interactionCreate", matches);

await check(`logs in over the gateway with ${compression} and sees its guild`, async () => {
  const ready = next(client, "clientReady");
  await client.login(process.env.DISCORD_TOKEN);
  await ready;
  guild = client.guilds.cache.find((one) => one.name === "Moonlight Games");
  assert(guild?.available, "the seeded guild is not there");
  general = guild.channels.cache.find((channel) => channel.name === "general");
  same(general.type, ChannelType.GuildText, "type of #general");
  same(general.parent.name, "Community", "category of #general");
  assert(guild.roles.cache.some((role) => role.name === "@everyone"), "no @everyone");
  same(guild.roles.botRoleFor(client.user).tags.botId, client.user.id, "bot of the managed role");
  assert(guild.members.me.permissions.has(PermissionFlagsBits.ManageChannels), "may not manage channels");
  same(client.application.id, client.user.id, "application");
});
mia = await Person.enter(simulator, "mia");
sam = await Person.enter(simulator, "sam");

await check("fetches members by the gateway and by REST", async () => {
  const members = await guild.members.fetch();
  same(members.size, 5, "members");
  same(members.get(mia.user.id).displayName, "Mia", "display name");
  const some = await guild.members.fetch({ query: "sa", limit: 5 });
  same([...some.values()].map((member) => member.user.username), ["sam"], "members found by name");
  same((await guild.members.list({ limit: 2 })).size, 2, "members by REST");
  same((await guild.members.fetch({ user: mia.user.id, force: true })).user.username, "mia", "one member");
  same((await guild.members.search({ query: "Noah" })).size, 1, "members by search");
});

await check("reads its application and the guild by REST", async () => {
  const application = await client.application.fetch();
  same(application.name, "Tickets", "name");
  const fetched = await guild.fetch();
  same(fetched.name, "Moonlight Games", "name");
  same((await guild.channels.fetch()).size, guild.channels.cache.size, "channels");
  same((await guild.roles.fetch()).size, guild.roles.cache.size, "roles");
  same((await client.guilds.fetch()).size, 1, "guilds");
});

await check("registers slash commands with options and autocomplete", async () => {
  const ask = new SlashCommandBuilder()
    .setName("ask")
    .setDescription("Asks for help")
    .addStringOption((option) =>
      option.setName("topic").setDescription("About what").setRequired(true).setAutocomplete(true),
    )
    .addUserOption((option) => option.setName("about").setDescription("About whom"))
    .addIntegerOption((option) =>
      option.setName("urgency").setDescription("How urgent").addChoices({ name: "low", value: 1 }, { name: "high", value: 2 }),
    );
  const admin = new SlashCommandBuilder()
    .setName("admin")
    .setDescription("For admins")
    .setDefaultMemberPermissions(PermissionFlagsBits.ManageGuild)
    .addSubcommand((sub) =>
      sub
        .setName("log")
        .setDescription("Sets the log channel")
        .addChannelOption((option) =>
          option.setName("channel").setDescription("Where").addChannelTypes(ChannelType.GuildText).setRequired(true),
        ),
    );
  const registered = await client.application.commands.set([ask, admin]);
  same([...registered.values()].map((command) => command.name).sort(), ["admin", "ask"], "commands");
  const one = await guild.commands.create({ name: "Report", type: 3 });
  same(one.guildId, guild.id, "guild of a guild command");
  const renamed = await one.edit({ name: "Report message" });
  same(renamed.name, "Report message", "edited name");
  same((await client.application.commands.fetch()).size, 2, "global commands");
  const bad = await refused(client.application.commands.create({ name: "Ask me", description: "x" }), 50035);
  assert(bad.rawError.errors.name, "no error at the name");
});

await check("answers autocomplete", async () => {
  const query = asked((interaction) => interaction.isAutocomplete());
  const choices = mia.choices(guild.id, general.id, "ask", [{ name: "topic", type: 3, value: "bil", focused: true }]);
  const interaction = await query;
  const focused = interaction.options.getFocused(true);
  same([focused.name, focused.value], ["topic", "bil"], "focused option");
  await interaction.respond([{ name: "Billing", value: "billing" }]);
  same((await choices)[0].value, "billing", "choice at the client");
});

await check("answers a slash command with options", async () => {
  const command = asked((interaction) => interaction.isChatInputCommand());
  const id = await mia.command(guild.id, general.id, "ask", {
    options: [
      { name: "topic", type: 3, value: "billing" },
      { name: "about", type: 6, value: sam.user.id },
      { name: "urgency", type: 4, value: 2 },
    ],
  });
  const interaction = await command;
  same(interaction.options.getString("topic"), "billing", "text option");
  same(interaction.options.getMember("about").displayName, "Sam", "user option");
  same(interaction.options.getInteger("urgency"), 2, "number option");
  same(interaction.member.id, mia.user.id, "member");
  same(interaction.channel.name, "general", "channel");
  assert(interaction.appPermissions.has(PermissionFlagsBits.ManageChannels), "no application permissions");
  assert(interaction.memberPermissions.has(PermissionFlagsBits.SendMessages), "no member permissions");
  const { resource } = await interaction.reply({ content: "Noted.", withResponse: true });
  same(resource.message.content, "Noted.", "reply");
  await mia.succeeds(id);
  const seen = await mia.hears("MESSAGE_CREATE", (message) => message.content === "Noted.");
  same(seen.interaction_metadata.id, id, "interaction of the reply");
  same((await interaction.fetchReply()).content, "Noted.", "fetched reply");
  await interaction.editReply({ content: "Noted!", embeds: [new EmbedBuilder().setTitle("Topic").setDescription("billing")] });
  const edited = await mia.hears("MESSAGE_UPDATE", (message) => message.content === "Noted!");
  same(edited.embeds[0].title, "Topic", "embed");
  await refused(interaction.client.rest.post(`/interactions/${interaction.id}/${interaction.token}/callback`, { auth: false, body: { type: 4, data: { content: "again" } } }), 40060);
  await interaction.deleteReply();
  await mia.hears("MESSAGE_DELETE", (message) => message.id === seen.id);
});

await check("refuses a command to those without its permission", async () => {
  const options = [{ name: "log", type: 1, options: [{ name: "channel", type: 7, value: general.id }] }];
  await refused(mia.command(guild.id, general.id, "admin", { options }), 50013);
  const ada = await Person.enter(simulator, "ada");
  const command = asked((interaction) => interaction.isChatInputCommand());
  await ada.command(guild.id, general.id, "admin", { options });
  const interaction = await command;
  same(interaction.options.getSubcommand(), "log", "subcommand");
  same(interaction.options.getChannel("channel").name, "general", "channel option");
  await interaction.reply({ content: "Only for you", flags: MessageFlags.Ephemeral });
  const hidden = await ada.hears("MESSAGE_CREATE", (message) => message.content === "Only for you");
  same(hidden.flags & 64, 64, "ephemeral flag");
  assert(!mia.heard.some(({ d }) => d.content === "Only for you"), "an ephemeral reply was shown to somebody else");
  ada.leave();
});

await check("defers, fills the answer and follows up", async () => {
  const command = asked((interaction) => interaction.isChatInputCommand());
  await mia.command(guild.id, general.id, "ask", { options: [{ name: "topic", type: 3, value: "slow" }] });
  const interaction = await command;
  await interaction.deferReply();
  const thinking = await mia.hears("MESSAGE_CREATE", (message) => (message.flags & 128) !== 0);
  await interaction.editReply("Found it.");
  const filled = await mia.hears("MESSAGE_UPDATE", (message) => message.id === thinking.id);
  same([filled.content, filled.flags & 128], ["Found it.", 0], "filled answer");
  const more = await interaction.followUp({ content: "And more.", flags: MessageFlags.Ephemeral });
  assert(more.flags.has(MessageFlags.Ephemeral), "follow-up is not ephemeral");
  await interaction.webhook.editMessage(more.id, "And much more.");
  await mia.hears("MESSAGE_UPDATE", (message) => message.content === "And much more.");
  await interaction.webhook.deleteMessage(more.id);
});

await check("answers a message command", async () => {
  const message = await mia.say(general.id, "This is rude");
  const command = asked((interaction) => interaction.isMessageContextMenuCommand());
  await sam.command(guild.id, general.id, "Report message", { target_id: message.id });
  const interaction = await command;
  same(interaction.targetMessage.content, "This is rude", "target");
  await interaction.reply({ content: "Reported", flags: MessageFlags.Ephemeral });
});

let panel;
const button = new ButtonBuilder().setCustomId("press").setLabel("Press").setStyle(ButtonStyle.Primary).setEmoji("🎫");
const menu = new StringSelectMenuBuilder()
  .setCustomId("pick")
  .addOptions({ label: "Red", value: "red", description: "Warm" }, { label: "Blue", value: "blue" });

await check("sends a message with components and answers its button with a reply and an update", async () => {
  panel = await general.send({
    embeds: [new EmbedBuilder().setTitle("Support").setColor(0x5865f2).addFields({ name: "Hours", value: "9-5", inline: true })],
    components: [
      new ActionRowBuilder().addComponents(button, new ButtonBuilder().setLabel("Docs").setStyle(ButtonStyle.Link).setURL("https://example.com")),
      new ActionRowBuilder().addComponents(menu),
      new ActionRowBuilder().addComponents(new UserSelectMenuBuilder().setCustomId("who").setMaxValues(2)),
    ],
  });
  const shown = await mia.hears("MESSAGE_CREATE", (message) => message.id === panel.id);
  let click = asked((interaction) => interaction.isButton());
  await mia.component(shown, guild.id, "press");
  let interaction = await click;
  same(interaction.message.id, panel.id, "message of the click");
  await interaction.reply({ content: "Pressed", flags: MessageFlags.Ephemeral });
  await mia.hears("MESSAGE_CREATE", (message) => message.content === "Pressed");
  click = asked((interaction) => interaction.isButton());
  const id = await mia.component(shown, guild.id, "press");
  interaction = await click;
  const { resource } = await interaction.update({ content: "Pressed twice", withResponse: true });
  same(resource.message.id, panel.id, "updated message");
  await mia.succeeds(id);
  await mia.hears("MESSAGE_UPDATE", (message) => message.content === "Pressed twice");
  await refused(mia.component(shown, guild.id, "unknown"), 50035);
});

await check("answers select menus", async () => {
  let choice = asked((interaction) => interaction.isStringSelectMenu());
  await mia.component({ ...panel.toJSON(), application_id: client.user.id, channel_id: general.id }, guild.id, "pick", 3, ["blue"]);
  let interaction = await choice;
  same(interaction.values, ["blue"], "values");
  await interaction.deferUpdate();
  await interaction.editReply({ content: "Blue it is" });
  await mia.hears("MESSAGE_UPDATE", (message) => message.content === "Blue it is");
  choice = asked((interaction) => interaction.isUserSelectMenu());
  await mia.component({ application_id: client.user.id, channel_id: general.id, id: panel.id }, guild.id, "who", 5, [sam.user.id]);
  interaction = await choice;
  same(interaction.users.first().username, "sam", "chosen user");
  same(interaction.members.first().displayName, "Sam", "chosen member");
  await interaction.reply({ content: "Sam then", flags: MessageFlags.Ephemeral });
});

await check("opens a modal and reads what was filled in", async () => {
  const modal = new ModalBuilder()
    .setCustomId("form")
    .setTitle("Tell us more")
    .addLabelComponents(
      new LabelBuilder()
        .setLabel("Reason")
        .setTextInputComponent(new TextInputBuilder().setCustomId("reason").setStyle(TextInputStyle.Paragraph).setMinLength(3)),
      new LabelBuilder().setLabel("Colour").setStringSelectMenuComponent(menu),
    );
  const click = asked((interaction) => interaction.isButton());
  await mia.component({ application_id: client.user.id, channel_id: general.id, id: panel.id }, guild.id, "press");
  await (await click).showModal(modal);
  const opened = await mia.hears("INTERACTION_MODAL_CREATE");
  same([opened.custom_id, opened.title], ["form", "Tell us more"], "modal at the client");
  const fields = (reason) => [
    { type: 18, component: { type: 4, custom_id: "reason", value: reason } },
    { type: 18, component: { type: 3, custom_id: "pick", values: ["red"] } },
  ];
  await refused(mia.submit(opened, guild.id, fields("x")), 50035);
  const form = asked((interaction) => interaction.isModalSubmit());
  await mia.submit(opened, guild.id, fields("It broke"));
  const interaction = await form;
  same(interaction.fields.getTextInputValue("reason"), "It broke", "text field");
  same(interaction.fields.getStringSelectValues("pick"), ["red"], "select field");
  assert(interaction.isFromMessage(), "the form does not know its message");
  await interaction.reply({ content: "Thanks", flags: MessageFlags.Ephemeral });
  await mia.hears("MESSAGE_CREATE", (message) => message.content === "Thanks");
});

await check("edits, replies, reacts, pins and deletes messages", async () => {
  const created = next(client, "messageCreate", (message) => message.content === "Anyone here?");
  await mia.say(general.id, "Anyone here?");
  const question = await created;
  same(question.member.displayName, "Mia", "author");
  const reply = await question.reply("Yes!");
  same(reply.reference.messageId, question.id, "reference");
  assert(reply.mentions.has(mia.user.id), "a reply mentions whom it answers");
  same((await reply.fetchReference()).content, "Anyone here?", "referenced message");
  same((await reply.edit("Yes, here.")).content, "Yes, here.", "edited content");
  await reply.react("👍");
  await reply.pin();
  assert((await general.messages.fetchPins()).items.some(({ message }) => message.id === reply.id), "not pinned");
  await reply.unpin();
  const fetched = await general.messages.fetch({ limit: 100 });
  same(fetched.first().id, reply.id, "newest message");
  same(fetched.get(reply.id).reactions.cache.get("👍").me, true, "own reaction");
  const before = await general.messages.fetch({ limit: 2, before: reply.id });
  same(before.first().id, question.id, "message before");
  await reply.reactions.removeAll();
  await reply.delete();
  await refused(general.messages.fetch({ message: reply.id, force: true }), 10008);
  const gone = next(client, "messageDeleteBulk");
  const one = await general.send("one");
  const two = await general.send("two");
  await general.bulkDelete([one, two]);
  same((await gone).size, 2, "messages deleted in bulk");
});

await check("uploads attachments and reads them", async () => {
  const message = await general.send({
    content: "Files",
    files: [
      { attachment: Buffer.from("hello"), name: "hello.txt", description: "A greeting" },
      { attachment: Buffer.from([1, 2, 3]), name: "data.bin" },
    ],
  });
  same(message.attachments.size, 2, "attachments");
  const text = message.attachments.find((one) => one.name === "hello.txt");
  same([text.size, text.description], [5, "A greeting"], "attachment");
  same(await (await fetch(text.url)).text(), "hello", "content");
  const fewer = await message.edit({ attachments: [text] });
  same([...fewer.attachments.values()].map((one) => one.name), ["hello.txt"], "attachments left");
});

await check("creates, edits and deletes a channel with overwrites", async () => {
  const created = next(client, "channelCreate");
  const channel = await guild.channels.create({
    name: "Ticket 1",
    topic: "Help for Mia",
    parent: general.parent,
    permissionOverwrites: [
      { id: guild.id, deny: [PermissionFlagsBits.ViewChannel] },
      { id: mia.user.id, allow: [PermissionFlagsBits.ViewChannel, PermissionFlagsBits.SendMessages] },
      { id: client.user.id, allow: [PermissionFlagsBits.ViewChannel, PermissionFlagsBits.SendMessages] },
    ],
  });
  await created;
  same(channel.name, "ticket-1", "name");
  assert(channel.permissionsFor(mia.user.id).has(PermissionFlagsBits.SendMessages), "mia may not write");
  assert(!channel.permissionsFor(sam.user.id).has(PermissionFlagsBits.ViewChannel), "sam may look");
  await refused(sam.say(channel.id, "let me in"), 50001);
  await channel.permissionOverwrites.edit(sam.user.id, { ViewChannel: true, SendMessages: true });
  await sam.say(channel.id, "I am in");
  await channel.permissionOverwrites.delete(sam.user.id);
  await refused(sam.say(channel.id, "out again"), 50001);
  const updated = next(client, "channelUpdate", (before, after) => after.topic === "Solved");
  await channel.edit({ name: "solved-1", topic: "Solved", parent: null });
  await updated;
  same((await channel.fetch(true)).parentId, null, "category");
  const deleted = next(client, "channelDelete");
  await channel.delete("done");
  await deleted;
  await refused(channel.send("too late"), 10003);
});

await check("opens threads, public and private", async () => {
  const message = await general.send("Let us talk");
  const thread = await message.startThread({ name: "Talk", autoArchiveDuration: 60 });
  same([thread.id, thread.parentId], [message.id, general.id], "thread of a message");
  await thread.send("Inside");
  same((await thread.messages.fetch()).size, 1, "messages inside");
  const hidden = await general.threads.create({ name: "Hidden", type: ChannelType.PrivateThread, invitable: false });
  await refused(mia.say(hidden.id, "hello"), 50001);
  await hidden.members.add(mia.user.id);
  await mia.hears("THREAD_CREATE", (one) => one.id === hidden.id);
  await mia.say(hidden.id, "hello");
  same((await hidden.members.fetch()).size, 2, "members of the thread");
  same((await guild.channels.fetchActiveThreads()).threads.size, 2, "active threads");
  await hidden.setLocked(true);
  await refused(mia.say(hidden.id, "locked"), 160005);
  await thread.setArchived(true);
  same((await general.threads.fetchArchived()).threads.first().id, thread.id, "archived thread");
  await hidden.delete();
  await thread.delete();
});

await check("creates roles and gives them", async () => {
  const role = await guild.roles.create({ name: "Helper", colors: { primaryColor: 0x2fa36b }, permissions: [], mentionable: true });
  same([role.name, role.colors.primaryColor], ["Helper", 0x2fa36b], "role");
  const member = await guild.members.fetch(sam.user.id);
  const updated = next(client, "guildMemberUpdate");
  await member.roles.add(role);
  assert((await updated).id === sam.user.id, "no member update");
  assert((await guild.members.fetch({ user: sam.user.id, force: true })).roles.cache.has(role.id), "role not given");
  await role.edit({ name: "Helpers" });
  await refused(guild.roles.create({ permissions: [PermissionFlagsBits.Administrator] }), 50013);
  await member.roles.remove(role);
  await role.delete();
});

await check("posts by a webhook", async () => {
  const webhook = await general.createWebhook({ name: "Announcer" });
  const message = await webhook.send({ content: "News", username: "Herald" });
  same([message.author.username, message.webhookId], ["Herald", webhook.id], "author");
  await webhook.editMessage(message, "Old news");
  await webhook.deleteMessage(message);
  same((await general.fetchWebhooks()).size, 1, "webhooks");
  await webhook.delete();
});

await check("talks in direct messages", async () => {
  const user = await client.users.fetch(mia.user.id);
  await user.send("Psst");
  const message = await mia.hears("MESSAGE_CREATE", (one) => one.content === "Psst");
  assert(!message.guild_id, "a direct message has a guild");
  const answer = next(client, "messageCreate", (one) => one.content === "What?");
  await mia.say(message.channel_id, "What?");
  const heard = await answer;
  assert(heard.channel.isDMBased(), "not a direct message");
});

await check("resumes after the server ends the connection, and misses nothing", async () => {
  const shard = client.ws.shards.first();
  const resumed = next(client, "shardResume");
  const missed = next(client, "messageCreate", (message) => message.content === "While you were away");
  const before = (await simulator.ledger()).resumes;
  await simulator.gateway({ do: "close", code: 4000 });
  await mia.say(general.id, "While you were away");
  await Promise.all([resumed, missed]);
  same((await simulator.ledger()).resumes, before + 1, "resumes");
  const again = next(client, "shardResume");
  await simulator.gateway({ do: "reconnect" });
  await again;
  same(shard.status, 0, "status of the shard");
});

await check("broke no rule of Discord's", async () => {
  const { violations, failed_interactions: failures } = await simulator.ledger();
  same(violations, [], "violations");
  same(failures, [], "failed interactions");
});

await client.destroy();
finish();
