"""What a process that shares its homes exports about that."""

from prometheus_client import CollectorRegistry, generate_latest

from engine.sites.sharing.metrics import FleetMetrics
from engine.sites.sharing.status_exchange import ExchangeState


def exported(state: ExchangeState) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(FleetMetrics(lambda: state))
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#")]
    return {name.removeprefix("reconcile_fleet_"): float(value) for name, value in pairs}


def test_the_metrics_show_the_state_of_the_process_and_its_exchange() -> None:
    assert exported(ExchangeState(False, None, strange_messages=0, workers=3, unowned=2)) == {
        "drained": 0,
        "exchange_up": 1,
        "strange_messages": 0,
        "workers": 3,
        "unowned_sites": 2,
    }
    assert exported(ExchangeState(True, "Kafka is away.", strange_messages=3, workers=0, unowned=0)) == {
        "drained": 1,
        "exchange_up": 0,
        "strange_messages": 3,
        "workers": 0,
        "unowned_sites": 0,
    }
