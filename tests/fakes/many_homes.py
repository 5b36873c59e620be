"""One process that simulates many Home Assistants, some of them faulty. For tests of many homes, and benchmarks.

    python -m tests.fakes.many_homes ENTITIES

prints two ports: one that answers as Home Assistant, whose home is chosen by the token (`home-NAME`), and one that
takes commands, one a line, and answers each with a line of JSON:

    rename NAME NUMBER TEXT   gives an entity of the home another name, with the event that Home Assistant sends
    fault NAME KIND           none, hang, lie, flood, refuse, empty, drop
    cut NAME                  cuts the connections of the home
    kick                      cuts all connections
    clients NAME              how many follow the home
    stat                      counts: connections, commands by type
    moments                   when renames were made, Unix seconds by name

Faults: `hang` answers nothing more, `lie` answers lists with rubbish, `flood` sends events without an end, `refuse`
refuses the token, `empty` answers every list without rows, `drop` cuts the connection after each login.
"""

import asyncio
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.registries import VERSION, Home, make_home

TOKEN_PREFIX = "home-"
FAULTS = ("none", "hang", "lie", "flood", "refuse", "empty", "drop")
_LIST = "config/entity_registry/list"
_ENTRIES = "config/entity_registry/get_entries"
_FLOOD_EVENTS = 50  # in one go, of which each asks for a look
_FLOOD_SECONDS = 0.05


class Played:
    """One home: who follows it, what was renamed, how it misbehaves."""

    def __init__(self) -> None:
        self.clients: dict[ServerConnection, dict[str, int]] = {}  # subscriptions by event type
        self.names: dict[str, tuple[str, float]] = {}  # name and time of the change by entity_id
        self.fault = "none"


class ManyHomes:
    """All of them. They begin equal, and share the bytes of what was not changed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._rows = msgspec.json.decode(home.answers[_LIST], type=list[msgspec.Raw])
        self._ids = list(home.extended)
        self._places = {entity_id: place for place, entity_id in enumerate(self._ids)}
        self._homes: defaultdict[str, Played] = defaultdict(Played)
        self._renamed: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    async def follow(self, client: ServerConnection) -> None:
        """Play Home Assistant for one connection."""
        self.counts["connections"] += 1
        try:
            await client.send(_text({"type": "auth_required", "ha_version": VERSION}))
            token = str(msgspec.json.decode(await client.recv())["access_token"])
            played = self._homes[token.removeprefix(TOKEN_PREFIX)]
            if not token.startswith(TOKEN_PREFIX) or played.fault == "refuse":
                await client.send(_text({"type": "auth_invalid", "message": "Invalid access token"}))
                return
            await client.send(_text({"type": "auth_ok", "ha_version": VERSION}))
            if played.fault == "drop":
                client.transport.abort()
                return
            played.clients[client] = {}
            flood = asyncio.create_task(self._flood(played, client))
            try:
                async for frame in client:
                    await self._answer(played, client, msgspec.json.decode(frame))
            finally:
                flood.cancel()
                played.clients.pop(client, None)
        except ConnectionClosed:
            pass

    async def _answer(self, played: Played, client: ServerConnection, asked: Any) -> None:
        for command in asked if isinstance(asked, list) else [asked]:
            self.counts[command["type"]] += 1
            if played.fault == "hang":
                continue
            if command["type"] == "ping":
                await client.send(_text({"id": command["id"], "type": "pong"}))
                continue
            head = b'{"id":%d,"type":"result","success":true,"result":' % command["id"]
            await client.send(b"%b%b}" % (head, self._result(played, client, command)), text=True)

    def _result(self, played: Played, client: ServerConnection, command: dict[str, Any]) -> bytes:
        kind = command["type"]
        if kind in ("subscribe_events", "config_entries/subscribe"):
            played.clients[client][command.get("event_type", kind)] = command["id"]
            return b"null"
        if kind.endswith("/list") and played.fault in ("lie", "empty"):
            return b'"nonsense"' if played.fault == "lie" else b"[]"
        if kind == _LIST:
            return self._entity_list(played)
        if kind == _ENTRIES:
            entries = (
                b"%b:%b" % (msgspec.json.encode(id_), self._entry(played, id_))
                for id_ in command["entity_ids"]
            )
            return b"{%b}" % b",".join(entries)
        return self._home.answers.get(kind, b"[]" if kind.endswith("/list") else b"null")

    def _entity_list(self, played: Played) -> bytes:
        if not played.names:
            return self._home.answers[_LIST]
        rows = list(self._rows)
        for entity_id in played.names:
            place = self._places[entity_id]
            rows[place] = msgspec.Raw(self._changed(played, entity_id, bytes(rows[place])))
        return msgspec.json.encode(rows)

    def _entry(self, played: Played, entity_id: str) -> bytes:
        row = self._home.extended.get(entity_id, b"null")
        return self._changed(played, entity_id, row) if entity_id in played.names else row

    def _changed(self, played: Played, entity_id: str, row: bytes) -> bytes:
        name, at = played.names[entity_id]
        return msgspec.json.encode({**msgspec.json.decode(row), "name": name, "modified_at": at})

    async def _flood(self, played: Played, client: ServerConnection) -> None:
        while True:
            await asyncio.sleep(_FLOOD_SECONDS)
            subscription = played.clients.get(client, {}).get("entity_registry_updated")
            if played.fault == "flood" and subscription is not None:
                for entity_id in self._ids[:_FLOOD_EVENTS]:
                    await client.send(_event(subscription, entity_id))

    async def _rename(self, name: str, number: int, text: str) -> dict[str, Any]:
        played, entity_id = self._homes[name], self._ids[number % len(self._ids)]
        played.names[entity_id] = (text, time.time())
        self._renamed[text] = time.time()
        for client, subscriptions in list(played.clients.items()):
            if "entity_registry_updated" in subscriptions:
                with suppress(ConnectionClosed):  # it has just left, and reads everything when it returns
                    await client.send(_event(subscriptions["entity_registry_updated"], entity_id))
        return {"entity_id": entity_id, "clients": len(played.clients)}

    async def obey(self, line: str) -> Any:
        """Carry out one command."""
        verb, *words = line.split()
        match verb:
            case "rename":
                return await self._rename(words[0], int(words[1]), words[2])
            case "fault":
                assert words[1] in FAULTS, words
                self._homes[words[0]].fault = words[1]
            case "cut":
                _cut(self._homes[words[0]])
            case "clients":
                return {"clients": len(self._homes[words[0]].clients)}
            case "kick":
                for played in self._homes.values():
                    _cut(played)
            case "moments":
                return self._renamed
            case "stat":
                live = sum(len(played.clients) for played in self._homes.values())
                return {**self.counts, "live": live}
            case _:
                return {"error": f"unknown: {verb}"}
        return {}

    async def command(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out the commands of one connection."""
        while line := await reader.readline():
            writer.write(msgspec.json.encode(await self.obey(line.decode())) + b"\n")
            await writer.drain()


def _cut(played: Played) -> None:
    for client in list(played.clients):
        client.transport.abort()


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()


def _event(subscription: int, entity_id: str) -> str:
    data = {"action": "update", "entity_id": entity_id, "changes": {"name": None}}
    event = {"event_type": "entity_registry_updated", "data": data, "origin": "LOCAL", "time_fired": "x"}
    return _text({"id": subscription, "type": "event", "event": event})


async def play(entities: int) -> None:
    """Play until killed."""
    homes = ManyHomes(make_home(entities))
    async with serve(homes.follow, "127.0.0.1", 0, max_size=2**26, ping_interval=None) as server:
        control = await asyncio.start_server(homes.command, "127.0.0.1", 0)
        ports = [next(iter(each.sockets)).getsockname()[1] for each in (server, control)]
        print(*ports, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(play(int(sys.argv[1])))
