"""The mirrored registries: one descriptor each, from which every table that lists them is made.

The fields of a registry's rows are in its record type (`core/records/record.py`); all its other names (the
command that lists it, its event, its file in `.storage`, its table, its route) are here, once each. To add a registry,
add its record type, its descriptor and its shape in the API (`api/registries/bodies/small.py`).

Imports no library, because the command line reads the names before it loads one.
"""

from typing import NamedTuple


class Registry(NamedTuple):
    """One registry of Home Assistant and its names in all places.

    `key` are the columns that identify a row of `table`; `page_key` are those of the API's pages, if different.
    `event_key` are the fields of a remove event that identify the record. `capture` is the file of a recorded list, without
    its extension. `store` is the file in `.storage`, with its rows under `store_list`; `store_majors` are its readable major
    versions, and from minor version `store_ordered_minor` on, its rows are in the user's order.
    """

    name: str
    table: str
    key: tuple[str, ...]
    list_command: str
    event: str | None
    event_key: tuple[str, ...]
    store: str
    store_list: str
    route: str
    page_key: tuple[str, ...] = ()
    store_majors: tuple[int, ...] = (1,)
    store_ordered_minor: int | None = None

    @property
    def capture(self) -> str:
        """The name of a recorded answer to the list command, without its extension."""
        return self.list_command.removeprefix("config/").replace("/", "_")

    @property
    def is_ordered(self) -> bool:
        """Whether its rows have an order chosen by the user."""
        return self.store_ordered_minor is not None


CONFIG_ENTRY = Registry(
    name="config_entry",
    table="config_entries",
    key=("entry_id",),
    list_command="config_entries/get",
    event=None,  # it has its own subscription
    event_key=("entry_id",),
    store="core.config_entries",
    store_list="entries",
    route="integrations",
)
FLOOR = Registry(
    name="floor",
    table="floors",
    key=("floor_id",),
    list_command="config/floor_registry/list",
    event="floor_registry_updated",
    event_key=("floor_id",),
    store="core.floor_registry",
    store_list="floors",
    route="floors",
    store_ordered_minor=3,  # 2025.12
)
LABEL = Registry(
    name="label",
    table="labels",
    key=("label_id",),
    list_command="config/label_registry/list",
    event="label_registry_updated",
    event_key=("label_id",),
    store="core.label_registry",
    store_list="labels",
    route="labels",
)
CATEGORY = Registry(
    name="category",
    table="categories",
    key=("scope", "category_id"),
    list_command="config/category_registry/list",
    event="category_registry_updated",
    event_key=("scope", "category_id"),
    store="core.category_registry",
    store_list="categories",
    route="categories",
)
AREA = Registry(
    name="area",
    table="areas",
    key=("area_id",),
    list_command="config/area_registry/list",
    event="area_registry_updated",
    event_key=("area_id",),
    store="core.area_registry",
    store_list="areas",
    route="areas",
    store_ordered_minor=9,  # 2025.12
)
DEVICE = Registry(
    name="device",
    table="devices",
    key=("device_id",),
    list_command="config/device_registry/list",
    event="device_registry_updated",
    event_key=("device_id",),
    store="core.device_registry",
    store_list="devices",
    route="devices",
    store_majors=(1, 3),
)
ENTITY = Registry(
    name="entity",
    table="entities",
    key=("id",),
    list_command="config/entity_registry/list",
    event="entity_registry_updated",
    event_key=("entity_id",),
    store="core.entity_registry",
    store_list="entities",
    route="entities",
    page_key=("entity_id",),
)

# Parents before children: upserts are written in this order, deletes in reverse.
BY_NAME: dict[str, Registry] = {
    registry.name: registry for registry in (CONFIG_ENTRY, FLOOR, LABEL, CATEGORY, AREA, DEVICE, ENTITY)
}
REGISTRIES: tuple[str, ...] = tuple(BY_NAME)
