"""discord.py against the simulator: what a bot does from login to reconnect.

Reads DISCORD_API_URL and DISCORD_TOKEN; COMPRESS=zlib takes zlib-stream instead of the library's first choice, zstd-stream.
"""

import asyncio
import io
import os

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from checks import API, Person, Simulator, check, finish, refused, same

discord.http.Route.BASE = API
if os.environ.get("COMPRESS") == "zlib":
    zlib = __import__("zlib")

    class ZlibStream:
        """The context that discord.py has where zstandard is not installed."""

        COMPRESSION_TYPE = "zlib-stream"

        def __init__(self):
            self.buffer = bytearray()
            self.context = zlib.decompressobj()

        def decompress(self, data, /):
            self.buffer.extend(data)
            if len(data) < 4 or data[-4:] != b"\x00\x00\xff\xff":
                return None
            message = self.context.decompress(self.buffer)
            self.buffer = bytearray()
            return message.decode("utf-8")

    discord.utils._ActiveDecompressionContext = ZlibStream


class Form(discord.ui.Modal, title="Tell us more"):
    reason = discord.ui.TextInput(label="Reason", min_length=3, style=discord.TextStyle.paragraph)

    async def on_submit(self, interaction):
        await interaction.response.send_message(f"Thanks for {self.reason.value}", ephemeral=True)


class Panel(discord.ui.View):
    def __init__(self):
        super().__init__(timeout=None)

    @discord.ui.button(label="Press", custom_id="press", style=discord.ButtonStyle.primary, emoji="🎫")
    async def press(self, interaction, _):
        await interaction.response.send_message("Pressed", ephemeral=True)

    @discord.ui.button(label="Change", custom_id="change")
    async def change(self, interaction, _):
        await interaction.response.edit_message(content="Changed")

    @discord.ui.button(label="Form", custom_id="form")
    async def form(self, interaction, _):
        await interaction.response.send_modal(Form())

    @discord.ui.select(cls=discord.ui.UserSelect, custom_id="who")
    async def who(self, interaction, select):
        await interaction.response.send_message(f"{select.values[0].display_name} then", ephemeral=True)


class Bot(commands.Bot):
    async def _get_gateway(self):
        return (await self.http.get_bot_gateway())[1]

    async def setup_hook(self):
        # The library's first connection goes to Discord's own address, whatever the API is.
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = discord.gateway.yarl.URL(await self._get_gateway())
        self.add_view(Panel())


intents = discord.Intents.default()
intents.members = True
intents.message_content = True
bot = Bot("!", intents=intents)


@bot.tree.command(description="Asks for help")
@app_commands.describe(topic="About what", about="About whom")
async def ask(interaction: discord.Interaction, topic: str, about: discord.Member | None = None):
    await interaction.response.defer()
    await interaction.followup.send(f"{topic}, {about.display_name if about else 'nobody'}")
    await interaction.followup.send("And more", ephemeral=True)


@ask.autocomplete("topic")
async def topics(_, current: str):
    return [app_commands.Choice(name=name, value=name.lower()) for name in ("Billing", "Bugs") if current.lower() in name.lower()]


@bot.tree.command(description="Slow")
async def slow(interaction: discord.Interaction):
    await interaction.response.send_message("First", ephemeral=True)
    await interaction.edit_original_response(content="Second")
    same((await interaction.original_response()).content, "Second", "original response")
    await interaction.delete_original_response()


@bot.tree.context_menu(name="Report message")
async def report(interaction: discord.Interaction, message: discord.Message):
    await interaction.response.send_message(f"Reported: {message.content}", ephemeral=True)


class World:
    """What the checks share."""


async def main():
    async with aiohttp.ClientSession() as http:
        simulator = Simulator(http)
        await bot.login(os.environ["DISCORD_TOKEN"])
        running = asyncio.create_task(bot.connect())
        try:
            await checks(simulator)
        finally:
            await bot.close()
            await running


async def checks(simulator):
    world = World()

    async def logs_in():
        await bot.wait_until_ready()
        world.guild = discord.utils.get(bot.guilds, name="Moonlight Games")
        world.general = discord.utils.get(world.guild.text_channels, name="general")
        same(world.general.category.name, "Community", "category")
        same(sorted(member.name for member in world.guild.members), ["Tickets", "ada", "mia", "noah", "sam"], "members")
        assert world.guild.me.guild_permissions.manage_channels
        same(world.guild.self_role.tags.bot_id, bot.user.id, "bot of the managed role")

    await check("logs in over the gateway and sees its guild with all members", logs_in)
    world.mia = mia = await Person.enter(simulator, "mia")
    guild, general = world.guild, world.general

    async def registers():
        synced = await bot.tree.sync()
        same(sorted(command.name for command in synced), ["Report message", "ask", "slow"], "commands")
        same(len(await bot.tree.fetch_commands()), 3, "commands fetched")

    await check("registers its tree of commands", registers)

    async def autocompletes():
        typed = [{"name": "topic", "type": 3, "value": "bil", "focused": True}]
        same([choice["value"] for choice in await mia.choices(guild.id, general.id, "ask", typed)], ["billing"], "choices")

    await check("answers autocomplete", autocompletes)

    async def follows_up():
        options = [{"name": "topic", "type": 3, "value": "billing"}, {"name": "about", "type": 6, "value": mia.user["id"]}]
        await mia.command(guild.id, general.id, "ask", options=options)
        thinking = await mia.hears("MESSAGE_CREATE", lambda message: message["flags"] & 128)
        filled = await mia.hears("MESSAGE_UPDATE", lambda message: message["id"] == thinking["id"])
        same(filled["content"], "billing, Mia", "answer")
        more = await mia.hears("MESSAGE_CREATE", lambda message: message["content"] == "And more")
        same(more["flags"] & 64, 64, "ephemeral flag")

    await check("defers a slash command and follows up", follows_up)

    async def edits_the_answer():
        await mia.command(guild.id, general.id, "slow", options=[])
        first = await mia.hears("MESSAGE_CREATE", lambda message: message["content"] == "First")
        await mia.hears("MESSAGE_UPDATE", lambda message: message["content"] == "Second")
        await mia.hears("MESSAGE_DELETE", lambda message: message["id"] == first["id"])

    await check("edits and deletes the answer to a slash command", edits_the_answer)

    async def message_command():
        said = await mia.say(general.id, "This is rude")
        await mia.command(guild.id, general.id, "Report message", target_id=said["id"])
        await mia.hears("MESSAGE_CREATE", lambda message: message["content"] == "Reported: This is rude")

    await check("answers a message command", message_command)

    async def components():
        embed = discord.Embed(title="Support", colour=0x5865F2).add_field(name="Hours", value="9-5")
        panel = await general.send(embed=embed, view=Panel())
        shown = await mia.hears("MESSAGE_CREATE", lambda message: message["id"] == str(panel.id))
        await mia.component(shown, guild.id, "press")
        await mia.hears("MESSAGE_CREATE", lambda message: message["content"] == "Pressed")
        await mia.component(shown, guild.id, "change")
        await mia.hears("MESSAGE_UPDATE", lambda message: message["content"] == "Changed")
        await mia.component(shown, guild.id, "who", 5, [mia.user["id"]])
        await mia.hears("MESSAGE_CREATE", lambda message: message["content"] == "Mia then")
        await mia.component(shown, guild.id, "form")
        opened = await mia.hears("INTERACTION_MODAL_CREATE")
        same(opened["title"], "Tell us more", "title of the modal")
        custom_id = (opened["components"][0].get("component") or opened["components"][0]["components"][0])["custom_id"]
        filled = {"type": 18, "component": {"type": 4, "custom_id": custom_id, "value": "asking"}}
        await mia.submit(opened, guild.id, [filled])
        await mia.hears("MESSAGE_CREATE", lambda message: message["content"] == "Thanks for asking")

    await check("answers buttons, a select menu and a modal", components)

    async def layout():
        view = discord.ui.LayoutView()
        section = discord.ui.Section("Some text", accessory=discord.ui.Button(label="Go", custom_id="go"))
        gallery = discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://dot.png"))
        view.add_item(discord.ui.Container(discord.ui.TextDisplay("# Title"), discord.ui.Separator(), section, gallery))
        message = await general.send(view=view, file=discord.File(io.BytesIO(b"\x89PNG"), "dot.png"))
        assert message.flags.components_v2
        container = message.components[0]
        same([type(child).__name__ for child in container.children][:2], ["TextDisplay", "SeparatorComponent"], "children")
        same(container.children[3].items[0].media.url, message.attachments[0].url, "address of the picture")

    await check("sends a message of components v2 with a picture", layout)

    async def messages():
        waiting = asyncio.create_task(bot.wait_for("message", check=lambda message: message.content == "Anyone here?"))
        await asyncio.sleep(0)
        await mia.say(general.id, "Anyone here?")
        question = await waiting
        reply = await question.reply("Yes!")
        same(reply.reference.resolved.content, "Anyone here?", "referenced message")
        await reply.edit(content="Yes, here.")
        await reply.add_reaction("👍")
        same([user.id async for user in (await general.fetch_message(reply.id)).reactions[0].users()], [bot.user.id], "who reacted")
        await reply.clear_reaction("👍")
        await reply.pin()
        same([message.id async for message in general.pins()], [reply.id], "pins")
        await reply.unpin()
        newest = [message.content async for message in general.history(limit=2)]
        same(newest, ["Yes, here.", "Anyone here?"], "history")
        since = [message.id async for message in general.history(after=question, oldest_first=True)]
        same(since, [reply.id], "history after a message")
        await reply.delete()
        async with refused(10008):
            await general.fetch_message(reply.id)
        for text in ("one", "two", "three"):
            await general.send(text)
        same(len(await general.purge(limit=2)), 2, "purged messages")

    await check("replies, edits, reacts, pins, reads history and deletes", messages)

    async def files():
        sent = await general.send("Files", files=[discord.File(io.BytesIO(b"hello"), "hello.txt", description="A greeting")])
        attachment = sent.attachments[0]
        same((attachment.filename, attachment.size, attachment.description), ("hello.txt", 5, "A greeting"), "attachment")
        same(await attachment.read(), b"hello", "content")

    await check("uploads attachments and reads them", files)

    async def channels():
        everyone, member = guild.default_role, guild.get_member(int(mia.user["id"]))
        hidden = {
            everyone: discord.PermissionOverwrite(view_channel=False),
            member: discord.PermissionOverwrite(view_channel=True, send_messages=True),
            guild.me: discord.PermissionOverwrite(view_channel=True, send_messages=True),
        }
        channel = await guild.create_text_channel("Ticket 1", category=general.category, overwrites=hidden, topic="Help")
        same(channel.name, "ticket-1", "name")
        assert channel.permissions_for(member).send_messages
        await mia.say(channel.id, "hello")
        await channel.set_permissions(member, overwrite=None)
        async with refused(50001):
            await mia.say(channel.id, "hello?")
        changed = await channel.edit(topic="Solved", category=None)
        same((changed.topic, changed.category), ("Solved", None), "edited channel")
        waiting = asyncio.create_task(bot.wait_for("guild_channel_delete"))
        await asyncio.sleep(0)
        await channel.delete()
        same((await waiting).id, channel.id, "deleted channel")

    await check("creates, edits and deletes a channel with overwrites", channels)

    async def threads():
        thread = await (await general.send("Let us talk")).create_thread(name="Talk")
        await thread.send("Inside")
        private = await general.create_thread(name="Hidden", type=discord.ChannelType.private_thread, invitable=False)
        await private.add_user(discord.Object(int(mia.user["id"])))
        await mia.say(private.id, "hello")
        same(len(await private.fetch_members()), 2, "members of the thread")
        same(len(await guild.active_threads()), 2, "active threads")
        await thread.edit(archived=True)
        same([one.id async for one in general.archived_threads()], [thread.id], "archived threads")
        await private.delete()
        await thread.delete()

    await check("opens threads, public and private", threads)

    async def roles():
        role = await guild.create_role(name="Helper", colour=discord.Colour(0x2FA36B), mentionable=True)
        member = guild.get_member(int(mia.user["id"]))
        waiting = asyncio.create_task(bot.wait_for("member_update", check=lambda _, after: role in after.roles))
        await asyncio.sleep(0)
        await member.add_roles(role)
        await waiting
        await role.edit(name="Helpers", position=1)
        await member.remove_roles(role)
        await role.delete()
        async with refused(50013):
            await guild.create_role(permissions=discord.Permissions(administrator=True))

    await check("creates roles and gives them", roles)

    async def direct():
        user = await bot.fetch_user(int(mia.user["id"]))
        await user.send("Psst")
        heard = await mia.hears("MESSAGE_CREATE", lambda message: message["content"] == "Psst")
        waiting = asyncio.create_task(bot.wait_for("message", check=lambda message: message.content == "What?"))
        await asyncio.sleep(0)
        await mia.say(heard["channel_id"], "What?")
        assert isinstance((await waiting).channel, discord.DMChannel)

    await check("talks in direct messages", direct)

    async def webhooks():
        webhook = await general.create_webhook(name="Announcer")
        message = await webhook.send("News", username="Herald", wait=True)
        same(message.author.name, "Herald", "author")
        await message.edit(content="Old news")
        await message.delete()
        await webhook.delete()

    await check("posts by a webhook", webhooks)

    async def resumes():
        before = (await simulator.ledger())["resumes"]
        resumed = asyncio.create_task(bot.wait_for("resumed"))
        missed = asyncio.create_task(bot.wait_for("message", check=lambda message: message.content == "While you were away"))
        await asyncio.sleep(0)
        await simulator.gateway(do="close", code=4000)
        await mia.say(general.id, "While you were away")
        await asyncio.gather(resumed, missed)
        same((await simulator.ledger())["resumes"], before + 1, "resumes")

    await check("resumes after the server ends the connection, and misses nothing", resumes)

    async def no_violation():
        ledger = await simulator.ledger()
        same(ledger["violations"], [], "violations")
        same(ledger["failed_interactions"], [], "failed interactions")

    await check("broke no rule of Discord's", no_violation)
    await mia.leave()


asyncio.run(main())
finish()
