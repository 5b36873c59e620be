"""What happens in a history: changes of the home, and everything that can go wrong on the way.

A step is a function of the history and of random numbers of its own, so that leaving other steps out does not
change what it does. Steps return at once; what lasts a while is undone by a task of its own.
"""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import trio

from tests.simulation.home import ACTIONS
from tests.simulation.stores import CALLS, Fault
from tests.simulation.wire import EVENTS_MAX, Ambush
from tests.simulation.world import EventWeather

if TYPE_CHECKING:
    from tests.simulation.history import History

Step = Callable[["History", Random], str | None]


def change(history: "History", random: Random) -> str:
    """People and integrations change something, once or a few times in one instant."""
    actions = random.choices(ACTIONS, k=random.choice([1, 1, 1, 2, 3]))
    for action in actions:
        history.world.act(action, random)
    history.begin(history.look_closely)
    return ", ".join(actions)


def change_during_a_read(history: "History", random: Random) -> str:
    """Something changes right before or after one of the next commands is answered."""
    actions = random.choices(ACTIONS, k=random.choice([1, 2]))
    is_slow = random.random() < 0.5

    def happen() -> None:
        history.log("now " + ", ".join(actions))
        if is_slow:
            slow(history, random)
        for action in actions:
            history.world.act(action, random)
        history.begin(history.look_closely)

    when, is_heartbeat = random.choice(["before", "after"]), random.random() < 0.3
    ambush = Ambush(0 if is_heartbeat else random.randint(0, 20), "ping" * is_heartbeat, when, happen)
    history.world.server.ambush = ambush
    return f"{', '.join(actions)} {when} answer {ambush.count} to {ambush.command or 'anything'}"


def relist(history: "History", _random: Random) -> None:
    """Home Assistant says that its configuration changed, so that everything is read again."""
    history.world._enter(history.world.state)


def drop(history: "History", random: Random) -> str | None:
    """The line is cut, now or at one of the next messages."""
    count = random.choice([0, random.randint(1, 60)])
    if count == 0:
        history.world.server.drop_all()
        return None
    history.world.server.network.drop_in = count
    return f"in {count} messages"


def spoil(history: "History", random: Random) -> str:
    """One of the next messages arrives in half, or with a broken byte."""
    count, what = random.randint(0, 40), random.choice(["cut_in", "garble_in"])
    setattr(history.world.server.network, what, count)
    history.world.misbehaved = True
    return f"{what} {count} messages"


def slow(history: "History", random: Random) -> str:
    """Messages take their time."""
    most = random.choice([0.001, 0.05, 0.5])
    draw = Random(random.random())
    network = history.world.server.network
    network.latency = lambda: draw.uniform(0, most)
    history.later(random.uniform(5, 60), partial(setattr, network, "latency", lambda: 0.0), "fast again")
    return f"up to {most} s"


def silence(history: "History", random: Random) -> str:
    """The connection is silently dead; it is cut when it would recover, because what was sent is lost."""
    network, seconds = history.world.server.network, random.uniform(1, 50)
    network.silent = True

    def end() -> None:
        network.silent = False
        history.world.server.drop_all()

    history.later(seconds, end, "heard again")
    return f"{seconds:.0f} s"


def refuse(history: "History", random: Random) -> str:
    """The token is rejected, or one command is answered with an error."""
    seconds = random.uniform(1, 40)
    if random.random() < 0.5:
        network = history.world.server.network
        network.token_refused = True
        history.world.server.drop_all()
        history.later(seconds, partial(setattr, network, "token_refused", False), "token accepted")
        return "the token"
    world = history.world
    world.misbehaved = True
    world.failing_command = random.choice(
        ["get_config", "config/device_registry/list", "config/entity_registry/get_entries"]
    )
    history.later(seconds, partial(setattr, world, "failing_command", ""), "answered again")
    return world.failing_command


def events(history: "History", random: Random) -> str:
    """Events are lost, sent twice, late and in any order."""
    world = history.world
    world.events = EventWeather(*(random.choice([0.0, 0.3]) for _ in range(3)))
    seconds = random.uniform(5, 60)
    for _ in range(3):
        history.later(random.uniform(0, seconds), world.tell_late, "")

    def end() -> None:
        world.events = EventWeather()
        world.tell_late()

    history.later(seconds, end, "events as usual")
    return str(world.events)


def partial_lists(history: "History", random: Random) -> str | None:
    """Lists succeed and lack records, for a moment."""
    world = history.world
    keys = [k for k in sorted(world.home.records) if k.registry != "config_entry" or random.random() < 0.3]
    if world.hidden or not keys:
        return None
    world.hide(frozenset(random.sample(keys, random.randint(1, len(keys)))))
    history.later(
        random.choice([0.5, 10, 40]), partial(setattr, world, "hidden", frozenset()), "lists are whole"
    )
    relist(history, random)
    return f"without {len(world.hidden)}"


def restart(history: "History", random: Random) -> str:
    """Home Assistant restarts: as it was, upgraded, with a corrupt store, or into and out of recovery mode."""
    world = history.world
    ways: dict[str, Callable[[], object]] = {
        "as it was": lambda: None,
        "upgraded": world.home.upgrade,
        "corrupt": world.lose_devices,
        "into recovery mode": partial(world.switch, "recovery"),
    }
    name = random.choice(sorted(ways)) if world.mode == "home" else "out of it"
    change = ways.get(name, partial(world.switch, "home"))
    history.begin(partial(world.restart, random, change))
    return name


def mend(history: "History", random: Random) -> None:
    """A person settles a corrupt store."""
    if history.world.mode == "home":
        history.world.server.drop_all()
        history.world.mend(accept=random.random() < 0.5)


def wrong_instance(history: "History", random: Random) -> str | None:
    """Another Home Assistant answers at the URL."""
    world = history.world
    # A store that was never filled from our home has nothing to recognise another one by.
    if world.mode != "home" or world.server.network.closed or not history.knows_home():
        return None

    def change(mode: str) -> None:
        world.server.drop_all()
        world.switch(mode)

    is_lost = random.random() < 0.3 and history.lose_books()
    change("wrong")
    seconds = random.uniform(1, 100)
    history.later(seconds, lambda: change("home") if world.mode == "wrong" else None, "the right one again")
    return f"{seconds:.0f} s{', and the ledger is lost' if is_lost else ''}"


def jump(history: "History", random: Random) -> str:
    """The wall clock of the engine's machine jumps: by a little, to the seventies, or to the end of the century."""
    day = 86_400
    seconds = random.choice([-3600, -20, 20, 3600, -56 * 365 * day, 73 * 365 * day])
    history.world.moments.jump(seconds)
    return f"{seconds} s"


def store_fails(history: "History", random: Random) -> str:
    """A few of the next calls of a store fail, each before, within or after its work."""
    store = random.choice(history.all_stores)
    found = [Fault(random.choice(CALLS), random.choice(["before", "middle", "after"])) for _ in range(3)]
    store.faults += found
    history.note_failing(store)
    return f"{store.name}: {', '.join(f'{f.when} {f.call}' for f in found)}"


def store_down(history: "History", random: Random) -> str:
    """A store is away, or refuses everything, for a while."""
    store = random.choice(history.all_stores)
    store.down = random.choice(["unavailable", "rejected"])
    history.note_failing(store)
    history.later(random.uniform(1, 80), partial(setattr, store, "down", ""), f"{store.name} is back")
    return f"{store.name}: {store.down}"


def write_by_others(history: "History", random: Random) -> str:
    """Somebody else writes to a replica, at any time or right within a pass."""
    store = random.choice(history.stores)
    if random.random() < 0.5:
        store.disturb()
        return store.name
    call = random.choice(["observe", "read", "apply", "data_version"])
    store.faults.append(Fault(call, "foreign"))
    return f"{store.name}, after {call}"


def slow_stores(history: "History", random: Random) -> str:
    """Passes take their time, so that the world changes within them."""
    most = random.choice([0.01, 0.3, 5.0])
    draw = Random(random.random())
    engine = history.engine
    history.oracle.may_forget = True
    engine.pass_seconds = lambda: draw.uniform(0, most)
    history.later(
        random.uniform(5, 60), partial(setattr, engine, "pass_seconds", lambda: 0.0), "stores are fast"
    )
    return f"up to {most} s"


def kill(history: "History", _random: Random) -> None:
    """The engine is killed and started again."""
    history.engine.kill()


def wait(_history: "History", _random: Random) -> None:
    """Nothing, for a while."""


# Each with its weight among the others.
STEPS: dict[str, tuple[Step, int]] = {
    "change": (change, 30),
    "change_during_a_read": (change_during_a_read, 8),
    "drop": (drop, 6),
    "events": (events, 4),
    "jump": (jump, 2),
    "kill": (kill, 2),
    "mend": (mend, 2),
    "partial_lists": (partial_lists, 4),
    "refuse": (refuse, 2),
    "relist": (relist, 4),
    "restart": (restart, 6),
    "silence": (silence, 2),
    "slow": (slow, 5),
    "slow_stores": (slow_stores, 4),
    "spoil": (spoil, 2),
    "store_down": (store_down, 3),
    "store_fails": (store_fails, 6),
    "wait": (wait, 4),
    "write_by_others": (write_by_others, 6),
    "wrong_instance": (wrong_instance, 2),
}


def burst(history: "History", random: Random) -> str:
    """More happens in one instant than events are kept of, or than Home Assistant lets wait."""
    count = random.choice([0, 25, 50])
    actions = random.choices(ACTIONS, k=count)
    if not count:
        # One entity fills what is kept, so that those of the others are the ones that are lost.
        seed = random.random()
        for _ in range(EVENTS_MAX + 1):
            history.world.act("edit_entity", Random(seed))
        actions = ["edit_entity"] * 5
    for action in actions:
        history.world.act(action, random)
    history.begin(history.look_closely)
    return f"{count} changes" if count else "of one entity, and a few of others"


def lag(history: "History", random: Random) -> str:
    """What Home Assistant says arrives seconds later, heartbeats among it, while things change."""
    network, seconds = history.world.server.network, random.uniform(2, 9)
    network.latency = lambda: seconds
    history.later(100, partial(setattr, network, "latency", lambda: 0.0), "without lag")
    history.lasts(100)

    async def go_on() -> None:
        for _ in range(8):
            await trio.sleep(random.uniform(1, 15))
            history.world.act(random.choice(ACTIONS), random)
            history.begin(history.look_closely)

    history.begin(go_on)
    return f"{seconds:.1f} s"


def long_absence(history: "History", random: Random) -> str | None:
    """Home Assistant is away for so long that every wait has grown, and is to be followed soon after."""
    world, network = history.world, history.world.server.network
    if network.closed or world._busy:
        return None
    seconds = random.choice([600.0, 3600.0])
    world._busy, network.closed = True, True
    world.server.drop_all()

    async def end() -> None:
        await trio.sleep(seconds)
        network.closed = world._busy = False
        history.log("back")
        await history.check_followed_soon()

    history.begin(end)
    history.lasts(seconds + 30)
    return f"{seconds:.0f} s"


def throttle(history: "History", random: Random) -> str:
    """A store asks to wait, for a moment or for longer than anybody would."""
    store = random.choice(history.all_stores)
    store.retry_after_seconds = random.choice([1.0, 15.0, 1e8])
    store.down = "unavailable"
    history.note_failing(store)

    def end() -> None:
        store.down, store.retry_after_seconds = "", None

    history.later(random.uniform(1, 60), end, f"{store.name} no longer asks to wait")
    return f"{store.name}: {store.retry_after_seconds} s"


def hang(history: "History", random: Random) -> str:
    """One of the next calls of worker threads does not return for minutes."""
    history.engine.hang_seconds = random.choice([20.0, 100.0, 400.0])
    history.engine.hang_in = random.randint(0, 3)
    history.oracle.may_forget = True
    history.lasts(history.engine.hang_seconds)
    return f"in {history.engine.hang_in} calls, {history.engine.hang_seconds:.0f} s"


def flicker(history: "History", random: Random) -> str | None:
    """A record is missing from lists, listed while no store, ledger or read can take that, and missing again."""
    world, engine, ledger = history.world, history.engine, history.ledger
    keys = [k for k in sorted(world.home.records) if k.registry in ("device", "entity")]
    if world.hidden or not keys:
        return None
    key, seconds = random.choice(keys), random.uniform(5, 40)
    way = random.choice(["stores hang", "stores hang", "without the ledger", "reads fail"])
    history.oracle.may_forget = True
    history.lasts(seconds + 60)

    def list_it(*, is_listed: bool) -> None:
        world.hide(frozenset() if is_listed else frozenset({key}))
        relist(history, random)

    async def go_on() -> None:
        list_it(is_listed=False)
        await trio.sleep(3)
        match way:
            case "stores hang":
                engine.pass_seconds = lambda: seconds + 5
                world.act("edit_entity", random)
            case "reads fail":  # after entities are listed
                world.misbehaved, world.failing_command = True, "config/device_registry/list"
            case _:
                ledger.down = "unavailable"
                history.note_failing(ledger)
        await trio.sleep(2)
        for is_listed, wait in ((True, seconds), (False, 25), (True, 0)):
            list_it(is_listed=is_listed)
            await trio.sleep(wait)
            engine.pass_seconds, ledger.down, world.failing_command = lambda: 0.0, "", ""

    history.begin(go_on)
    return f"{key}, {seconds:.0f} s, {way}"


# Drawn apart from the others, and those below apart from both, so that histories without them stay what they were.
LATER_STEPS: dict[str, Step] = {
    "burst": burst,
    "hang": hang,
    "lag": lag,
    "long_absence": long_absence,
    "throttle": throttle,
}
LAST_STEPS: dict[str, Step] = {"flicker": flicker}
ALL_STEPS = {name: step for name, (step, _) in STEPS.items()} | LATER_STEPS | LAST_STEPS


async def pause(random: Random) -> None:
    """The time between two steps: none, a moment, some seconds, or long enough to confirm a delete."""
    await trio.sleep(
        random.choice([0.0, random.uniform(0, 0.3), random.uniform(0, 0.3), random.uniform(1, 20), 45.0])
    )
