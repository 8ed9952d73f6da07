"""What is in deploy/ is readable, names what there is, and asks for no more than it needs.

There is no engine here that would build or run it.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from redis.asyncio import Redis

from bot.api.measures import Measures
from bot.counting import COUNTED

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
ENV_KNOWN = set(re.findall(r"\"([A-Z_]{4,})\"", (ROOT / "bot" / "settings.py").read_text()))
OBJECTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((DEPLOY / "kubernetes" / "countersign.yaml").read_text())
)
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
WORKLOADS = [each for each in OBJECTS if each["kind"] in ("Deployment", "StatefulSet")]


def _pod(workload: dict[str, Any]) -> dict[str, Any]:
    return dict(workload["spec"]["template"]["spec"])


def test_the_image_holds_what_the_service_needs_and_runs_as_nobody() -> None:
    for path in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for each in path.split():
            assert (ROOT / each).exists(), each
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    assert re.search(r"^USER 10001", DOCKERFILE, re.MULTILINE)
    assert "HEALTHCHECK" in DOCKERFILE and "/readyz" in DOCKERFILE


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_a_pod_may_do_little_and_is_given_time_to_end(workload: dict[str, Any]) -> None:
    pod = _pod(workload)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["terminationGracePeriodSeconds"] >= 20
    assert container["args"] in (["web"], ["worker"])
    assert workload["spec"]["selector"]["matchLabels"] == workload["spec"]["template"]["metadata"]["labels"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    claims = [each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())]
    assert mounted == {each["name"] for each in pod["volumes"]} | set(claims)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_secrets_come_by_reference_and_every_variable_is_one_of_ours(workload: dict[str, Any]) -> None:
    (container,) = _pod(workload)["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "countersign"}}]
    assert {each["name"] for each in container["env"]} <= ENV_KNOWN


def test_web_is_probed_where_it_answers_and_ends_after_it_is_left_alone() -> None:
    (web,) = (each for each in WORKLOADS if each["metadata"]["name"] == "countersign-web")
    (container,) = _pod(web)["containers"]
    probes = {name: container[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe")}
    assert probes == {"livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert container["lifecycle"]["preStop"]["exec"]["command"][0] == "sleep"


def test_every_budget_and_service_reaches_pods_that_there_are() -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in WORKLOADS]
    for each in OBJECTS:
        selector = (
            each["spec"].get("selector") if each["kind"] in ("PodDisruptionBudget", "Service") else None
        )
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= found.items() for found in labels), each["metadata"]["name"]
    assert sum(each["kind"] == "NetworkPolicy" for each in OBJECTS) == 1


def test_composed_the_redis_keeps_what_it_acknowledges() -> None:
    words = COMPOSE["services"]["redis"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--appendonly"] == "yes" and options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    for volume in COMPOSE["services"]["redis"]["volumes"]:
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or (DEPLOY / "docker" / source).exists()


def test_composed_the_service_is_given_variables_that_it_reads() -> None:
    given = set(COMPOSE["x-service"]["environment"])
    assert given <= ENV_KNOWN


@pytest.fixture
async def measured(redis: Redis, tenant: str) -> dict[str, set[str]]:
    """The labels of each thing that is measured, by its name."""
    measures = Measures(redis, tenant)
    text = (await measures.text()).decode()
    labels = {f"countersign_{name}_total": set(of) for name, (_, of) in COUNTED.items()}
    labels |= {
        name: set(each._labelnames)
        for name, each in measures._registry._names_to_collectors.items()
        if isinstance(each, MetricWrapperBase)
    }
    return {name: labels[name] for name in re.findall(r"^# TYPE (countersign_\w+)", text, re.M)}


def test_alerts_ask_only_for_what_is_measured(measured: dict[str, set[str]]) -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        asked = re.findall(r"(countersign_\w+)(?:\{(.*?)\})?", rule["expr"])
        assert asked
        for name, labels in asked:
            assert set(re.findall(r"(\w+)=", labels)) <= measured[name], rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_each_measure_is_told_with_its_labels(measured: dict[str, set[str]]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text().split("## Measures")[1].split("\n## ")[0]
    told = {
        f"countersign_{name}": set(filter(None, labels.split(", ")))
        for row in re.findall(r"^\| (`.*?) \|", page, re.M)
        for name, labels in re.findall(r"`(\w+)(?:\{(.*?)\})?`", row)
    }
    assert told == measured
