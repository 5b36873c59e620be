"""ops/kubernetes: valid by Kubernetes' own schema, and saying nothing that the program or another manifest does not know."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.commandline.arguments.parser import parse
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.group import RELEASE_SECONDS_MAX
from engine.settings.layers import load_settings, merge_layers, settings_layers
from engine.settings.sections import SETTING_NAMES
from engine.settings.stores import fleet_uri
from engine.sites.files import SiteFile, SiteFiles
from engine.sites.shards import StaticShard
from tests.ops.programs import OPS, run, tool

FOLDER = OPS / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
WORKLOADS = ("StatefulSet", "Deployment")


def manifests(*names: str) -> Iterator[dict[str, Any]]:
    for name in names or [path.name for path in FILES]:
        yield from yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))


def of_kind(kind: str, *names: str) -> dict[str, dict[str, Any]]:
    return {m["metadata"]["name"]: m for m in manifests(*names) if m["kind"] == kind}


WORKLOAD = pytest.mark.parametrize(
    "workload",
    [m for kind in WORKLOADS for m in of_kind(kind).values()],
    ids=lambda workload: str(workload["metadata"]["name"]),
)


KEEPING = pytest.mark.parametrize(
    "workload",
    [*of_kind("StatefulSet").values(), of_kind("Deployment")["ha-reconcile-workers"]],
    ids=lambda workload: str(workload["metadata"]["name"]),
)


def pod_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"]["template"]["spec"]
    return found


def environment_of(workload: Mapping[str, Any]) -> dict[str, str]:
    """The image's variables and those of the pod."""
    image = {"RECONCILE_ROWS__FILE": "/data/home.db", "RECONCILE_RECORDS__URI": "history:/data/history.db"}
    named = {one["name"]: one.get("value", "1") for one in pod_of(workload)["containers"][0]["env"]}
    for other, text in list(named.items()):
        named = {name: value.replace(f"$({other})", text) for name, value in named.items()}
    return {**image, **named}


@pytest.mark.parametrize(
    "version", ["1.31", "1.37"]
)  # the oldest that can number pods from 1, and the newest
def test_kubernetes_schema_has_nothing_to_say(version: str) -> None:
    validate = tool("kubernetes-validate", "kubernetes-validate from PyPI")
    done = run(validate, "--kubernetes-version", version, "--strict", *FILES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count(" passed ") + done.stdout.count(" passed ") == len(list(manifests()))


def test_the_schema_would_say_something(tmp_path: Path) -> None:
    validate = tool("kubernetes-validate", "kubernetes-validate from PyPI")
    wrong = (FOLDER / "workers.yaml").read_text(encoding="utf-8").replace("maxSurge", "maxSurges")
    (tmp_path / "wrong.yaml").write_text(wrong, encoding="utf-8")
    assert run(validate, "--strict", tmp_path / "wrong.yaml").returncode != 0


@WORKLOAD
def test_the_pods_variables_are_settings_and_the_program_takes_its_arguments(
    workload: dict[str, Any], tmp_path: Path
) -> None:
    environment = environment_of(workload)
    ours = {name for name in environment if name.startswith("RECONCILE_")}
    assert {n.removeprefix("RECONCILE_").lower().replace("__", ".") for n in ours} <= set(SETTING_NAMES)
    arguments = [word.replace("$(POD_INDEX)", "1") for word in pod_of(workload)["containers"][0]["args"]]
    assert parse(arguments).command in arguments
    settings = load_settings(
        {}, {n: environment[n] for n in ours if not n.endswith("TOKEN_FILE")}, None, tmp_path
    ).settings
    if workload["kind"] == "Deployment":
        assert parse_address(fleet_uri(settings.fleet)).servers
        assert bool(settings.fleet.url) == bool(settings.sites.directory), "of what keeps homes"
    else:
        assert not settings.fleet.brokers


def test_each_pod_of_the_set_has_a_share_of_its_own_and_no_home_is_left_out(tmp_path: Path) -> None:
    [workload] = of_kind("StatefulSet").values()
    replicas, start = workload["spec"]["replicas"], workload["spec"]["ordinals"]["start"]
    _, _, share = pod_of(workload)["containers"][0]["args"]
    shards = [share.replace("$(POD_INDEX)", str(start + number)) for number in range(replicas)]
    assert shards == [f"{number}/{replicas}" for number in range(1, replicas + 1)]
    kept = [
        name
        for shard in shards
        for name in homes(workload, tmp_path)
        if StaticShard(shard).claim.covers(name)
    ]
    assert sorted(kept) == sorted(homes(workload, tmp_path))


@KEEPING
def test_its_volumes_hold_every_home_with_its_token(workload: dict[str, Any], tmp_path: Path) -> None:
    found = homes(workload, tmp_path)
    assert found.keys() == {Path(n).stem for n in of_kind("ConfigMap")["ha-reconcile-homes"]["data"]}
    for name, site in found.items():
        assert site.error is None, name
        assert site.loaded is not None
        assert site.loaded.token.reveal().startswith("the-token-of")
        assert site.loaded.settings.rows.file == f"{tmp_path}/data/sites/{name}/rows.db"


def homes(workload: Mapping[str, Any], folder: Path) -> dict[str, SiteFile]:
    """What the program finds in volumes that are mounted as the kubelet does it: behind links, for a group to read."""
    pod = pod_of(workload)
    places = {
        one["name"]: folder / one["mountPath"].lstrip("/") for one in pod["containers"][0]["volumeMounts"]
    }
    for volume in pod["volumes"]:
        files: dict[str, str] = {}
        if "configMap" in volume:
            files = of_kind("ConfigMap")[volume["configMap"]["name"]]["data"]
        elif "secret" in volume:
            values = of_kind("Secret")[volume["secret"]["secretName"]]["stringData"]
            items = volume["secret"].get("items", [{"key": key, "path": key} for key in values])
            # Its words stand for a token, which has no space: left as they are, the program refuses them.
            files = {item["path"]: values[item["key"]].replace(" ", "-") for item in items}
        for name, text in files.items():
            link, file = places[volume["name"]] / name, places[volume["name"]] / "..data" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o440)
            top = places[volume["name"]] / Path(name).parts[0]
            if not top.exists():
                top.symlink_to(Path("..data") / Path(name).parts[0])
            assert link.read_text() == text
    environment = {
        name: value.replace("/homes/", f"{folder}/homes/").replace("/data", f"{folder}/data")
        for name, value in environment_of(workload).items()
        if name.startswith("RECONCILE_") and not name.endswith("TOKEN_FILE")
    }
    layers = settings_layers({}, environment, None, folder)
    return dict(SiteFiles(merge_layers(layers, environment)[0].sites, layers, environment).read())


@WORKLOAD
def test_nothing_gains_rights_or_writes_beside_its_volumes(workload: dict[str, Any]) -> None:
    pod = pod_of(workload)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert {pod["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {10001}
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    writable = {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")}
    assert writable == {"/data", "/tmp"}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}


@WORKLOAD
def test_what_a_pod_names_is_there(workload: dict[str, Any]) -> None:
    pod = pod_of(workload)
    claims = workload["spec"].get("volumeClaimTemplates", ())
    volumes = {one["name"] for one in pod["volumes"]} | {one["metadata"]["name"] for one in claims}
    assert volumes == {one["name"] for one in pod["containers"][0]["volumeMounts"]}
    assert {v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v} <= of_kind("ConfigMap").keys()
    assert {v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v} <= of_kind("Secret").keys()
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"] == labels
    name = workload["spec"].get("serviceName", workload["metadata"]["name"])
    assert of_kind("Service")[name]["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == labels
    policy = of_kind("NetworkPolicy")["ha-reconcile"]["spec"]["podSelector"]["matchLabels"]
    assert policy.items() <= labels.items()


@WORKLOAD
def test_pods_are_spread_over_nodes_and_end_in_their_own_time(workload: dict[str, Any]) -> None:
    pod = pod_of(workload)
    [spread] = pod["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == (
        "kubernetes.io/hostname",
        "ScheduleAnyway",
    )
    assert spread["labelSelector"]["matchLabels"] == workload["spec"]["template"]["metadata"]["labels"]
    if environment_of(workload).keys() >= {"RECONCILE_FLEET__BROKERS", "RECONCILE_SITES__DIRECTORY"}:
        # Its homes end, and others get them, before it is killed.
        assert pod["terminationGracePeriodSeconds"] > RELEASE_SECONDS_MAX


def test_no_secret_is_in_it() -> None:
    for secret in of_kind("Secret").values():
        assert all(not value or " " in value for value in secret["stringData"].values()), "words, not values"


def test_every_manifest_is_named_in_the_documentation() -> None:
    text = (OPS.parent / "docs/how-to/kubernetes.md").read_text(encoding="utf-8")
    assert [path.name for path in FILES if path.name not in text] == []
    assert sorted(FOLDER.iterdir()) == FILES
