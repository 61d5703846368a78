"""What the scenarios of Python libraries share: named checks with a deadline, and a person at Discord's own client."""

import asyncio
import contextlib
import json
import os
import sys
import time
import traceback

import aiohttp

API = os.environ["DISCORD_API_URL"]
PATIENCE = 10
_failed = []


async def check(name, run):
    """Runs one check and prints one line about it; the next ones run in any case."""
    try:
        await asyncio.wait_for(run(), PATIENCE)
        print(f"ok    {name}", flush=True)
    except Exception:  # noqa: BLE001: whatever went wrong is the result
        _failed.append(name)
        print(f"FAIL  {name}: {traceback.format_exc()}", flush=True)


def finish():
    """Ends the process with the outcome of all checks."""
    sys.exit(1 if _failed else 0)


def same(found, wanted, what="value"):
    assert found == wanted, f"{what} is {found!r}, not {wanted!r}"


@contextlib.asynccontextmanager
async def refused(code):
    try:
        yield
    except Exception as error:  # noqa: BLE001: libraries have errors of their own with the code in it
        same(getattr(error, "code", None), code, f"error code of {error!r}")
    else:
        raise AssertionError(f"not refused with {code}")


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.code = body.get("code")


class Simulator:
    """The simulator beside Discord's own routes: people, faults, and what it noticed."""

    def __init__(self, http):
        self.http = http
        self.origin = API.split("/api/")[0]

    async def people(self):
        async with self.http.get(f"{self.origin}/_sim/people") as answer:
            return await answer.json()

    async def ledger(self):
        async with self.http.get(f"{self.origin}/_sim/ledger") as answer:
            return await answer.json()

    async def gateway(self, **fault):
        async with self.http.post(f"{self.origin}/_sim/gateway", json=fault) as answer:
            assert answer.ok, answer.status


class Person:
    """A person at a client: a gateway session of their own, and the routes that Discord's clients use."""

    @classmethod
    async def enter(cls, simulator, username):
        person = cls()
        person.http = simulator.http
        person.user = next(one for one in await simulator.people() if one["username"] == username)
        person.heard = []
        person.news = asyncio.Condition()
        async with person.http.get(f"{API}/gateway") as answer:
            url = (await answer.json())["url"]
        person.socket = await person.http.ws_connect(f"{url}/?v=10&encoding=json")
        person.task = asyncio.create_task(person._listen())
        person.session = (await person.hears("READY"))["session_id"]
        return person

    async def _listen(self):
        async for message in self.socket:
            payload = json.loads(message.data)
            if payload["op"] == 10:
                await self.socket.send_json({"op": 2, "d": {"token": self.user["token"], "properties": {}}})
            elif payload["op"] == 0:
                async with self.news:
                    self.heard.append((payload["t"], payload["d"]))
                    self.news.notify_all()

    async def hears(self, kind, matches=lambda event: True):
        """An event that came already and was not asked for yet, or the next one."""

        def find():
            return next((event for event in self.heard if event[0] == kind and matches(event[1])), None)

        async with self.news:
            found = await asyncio.wait_for(self.news.wait_for(find), PATIENCE)
            self.heard.remove(found)
            return found[1]

    async def call(self, method, path, body=None):
        headers = {"Authorization": self.user["token"]}
        async with self.http.request(method, API + path, json=body, headers=headers) as answer:
            text = await answer.text()
            if not answer.ok:
                raise Refused(answer.status, json.loads(text))
            return json.loads(text) if text else None

    async def say(self, channel, text):
        return await self.call("POST", f"/channels/{channel}/messages", {"content": text})

    async def _interact(self, wish):
        nonce = str(time.time_ns())
        await self.call("POST", "/interactions", {**wish, "nonce": nonce, "session_id": self.session})
        return (await self.hears("INTERACTION_CREATE", lambda event: event["nonce"] == nonce))["id"]

    async def command(self, guild, channel, name, kind=2, **data):
        index = await self.call("GET", f"/guilds/{guild}/application-command-index")
        command = next(one for one in index["application_commands"] if one["name"] == name)
        return await self._interact(
            {
                "type": kind,
                "application_id": command["application_id"],
                "guild_id": str(guild),
                "channel_id": str(channel),
                "data": {"id": command["id"], "name": name, "type": command["type"], **data},
            }
        )

    async def choices(self, guild, channel, name, options):
        """Types into an option and returns the choices that are offered."""
        made = await self.command(guild, channel, name, kind=4, options=options)
        answer = await self.hears("APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE", lambda event: event["id"] == made)
        return answer["choices"]

    async def component(self, message, guild, custom_id, kind=2, values=None):
        """Uses a component of a message as the client received it."""
        return await self._interact(
            {
                "type": 3,
                "application_id": message["application_id"],
                "guild_id": str(guild),
                "channel_id": message["channel_id"],
                "message_id": message["id"],
                "data": {"component_type": kind, "custom_id": custom_id, "values": values},
            }
        )

    async def submit(self, modal, guild, components):
        """Sends off the form of an INTERACTION_MODAL_CREATE."""
        return await self._interact(
            {
                "type": 5,
                "application_id": modal["application"]["id"],
                "guild_id": str(guild),
                "channel_id": modal["channel_id"],
                "data": {"id": modal["id"], "custom_id": modal["custom_id"], "components": components},
            }
        )

    async def leave(self):
        await self.socket.close()
        await self.task
