"""The queries of a fleet view."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.http.queries import After, Limit100, Limit10000, Text

Tag = Annotated[Text, Meta(description="of homes with this tag")]


class ViewedDevicesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of devices of all homes; all filters must hold."""

    q: Annotated[
        Text,
        Meta(
            description="each of these words begins one in its name, manufacturer, model, firmware or serial number, in any case "
            "and with or without accents"
        ),
    ] = ""
    manufacturer: Annotated[Text, Meta(description="in any case; Unknown: has none")] | UnsetType = UNSET
    model: Annotated[Text, Meta(description="in any case; Unknown: has none")] | UnsetType = UNSET
    sw_version: Annotated[Text, Meta(description="-: has none")] | UnsetType = UNSET
    site: Annotated[Text, Meta(description="in this home")] | UnsetType = UNSET
    tag: Tag | UnsetType = UNSET
    limit: Limit100 = 100
    after: After = ""


class ViewedModelsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most frequent models, of all homes or of those with a tag."""

    limit: Limit10000 = 1000
    tag: Tag | UnsetType = UNSET


class ViewedSitesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of homes; all filters must hold."""

    q: Annotated[Text, Meta(description="its name, label or address contains this, in any case")] = ""
    tag: Tag | UnsetType = UNSET
    status: Literal["blocked", "out_of_sync", "unknown", "in_sync"] | UnsetType = UNSET
    connected: (
        Annotated[
            bool, Meta(description="its Home Assistant is followed, or is not; neither while that is unknown")
        ]
        | UnsetType
    ) = UNSET
    limit: Limit100 = 100
    after: After = ""


class ViewedDriftQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The homes that are not in sync, up to a limit."""

    limit: Limit100 = 100
    tag: Tag | UnsetType = UNSET
