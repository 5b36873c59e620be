"""What the host hands over prints no token."""

from pathlib import Path

from api.http.auth import AccessRules
from tests.api.serving import Api


async def test_the_token_does_not_print(tmp_path: Path) -> None:
    api = Api(tmp_path / "rows.db", None, access=AccessRules(token="a-secret"))
    assert "a-secret" not in repr((api.context, api.options))
    await api.rows_reader.aclose()
    await api.client.aclose()
