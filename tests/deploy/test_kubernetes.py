"""The manifests: what the cluster's own schema says of them, and the rules that it does not know."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bot.settings import RESERVED_PATHS, Settings
from tests.deploy.test_monitoring import told_by_the_code

KUBERNETES = Path(__file__).parents[2] / "deploy/kubernetes"
SCHEMA = "1.33"
OF_NO_CLUSTER = {"kustomization.yaml", "prometheus.yaml", "prometheus-adapter.yaml"}
BUILDS = ("base", "overlays/valkey")

Manifest = dict[str, Any]


@functools.cache
def read(path: str) -> list[Manifest]:
    return list(yaml.safe_load_all((KUBERNETES / path).read_text("utf-8")))


def manifests() -> Iterator[Manifest]:
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if path.name not in OF_NO_CLUSTER:
            yield from read(str(path.relative_to(KUBERNETES)))


def of_kind(*kinds: str) -> dict[str, Manifest]:
    return {found["metadata"]["name"]: found for found in manifests() if found["kind"] in kinds}


WORKLOADS = of_kind("Deployment", "StatefulSet")


def pod(name: str) -> Manifest:
    template: Manifest = WORKLOADS[name]["spec"]["template"]
    return template


def container(name: str) -> Manifest:
    (only,) = pod(name)["spec"]["containers"]
    found: Manifest = only
    return found


def fits(selector: Manifest, labels: Manifest) -> bool:
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(
        rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )


def literals(path: str) -> dict[str, str]:
    generators = read(path)[0]["configMapGenerator"]
    return dict(line.split("=", 1) for generated in generators for line in generated["literals"])


@pytest.mark.parametrize(
    "manifest", list(manifests()), ids=lambda found: f"{found['kind']}-{found['metadata']['name']}"
)
def test_a_manifest_is_what_the_cluster_takes(manifest: Manifest) -> None:
    kubernetes_validate.validate(manifest, SCHEMA, strict=True)


def test_a_manifest_that_the_cluster_refuses_would_be_found() -> None:
    (wrong,) = read("base/namespace.yaml")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**wrong, "metdata": {}}, SCHEMA, strict=True)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("webhook", [False, True], ids=["polling", "webhook"])
@pytest.mark.heavy
def test_kustomize_builds_it(tmp_path: Path, build: str, webhook: bool) -> None:
    if not (kubectl := shutil.which("kubectl")):
        pytest.skip("kubectl is not here")
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    place = tmp_path / "kubernetes" / build
    if webhook:
        path = place / "kustomization.yaml"
        up = "/".join([".."] * len(build.split("/")))
        path.write_text(path.read_text("utf-8") + f"components: [{up}/components/webhook]\n", "utf-8")

    done = subprocess.run([kubectl, "kustomize", str(place)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    for manifest in built:
        kubernetes_validate.validate(manifest, SCHEMA, strict=True)
        assert manifest["kind"] != "Secret"
    configured = {found["metadata"]["name"]: found["data"] for found in built if found["kind"] == "ConfigMap"}
    (of_intake,) = [name for name in configured if name.startswith("nemovideo-bot-intake-")]
    assert [name for name, data in configured.items() if "WEBHOOK_URL" in data] == [of_intake] * webhook
    for found in built:
        if found["kind"] == "Deployment":
            (only,) = found["spec"]["template"]["spec"]["containers"]
            assert re.fullmatch(r"nemovideo-bot:[\d.]+", only["image"])
            names = [one["configMapRef"]["name"] for one in only["envFrom"] if "configMapRef" in one]
            is_intake = found["metadata"]["name"] == "intake"
            assert set(names) == (configured.keys() if is_intake else configured.keys() - {of_intake})


def test_every_file_is_part_of_a_build() -> None:
    for kustomization in KUBERNETES.rglob("kustomization.yaml"):
        (told,) = read(str(kustomization.relative_to(KUBERNETES)))
        beside = {path.name for path in kustomization.parent.glob("*.yaml")} - {"kustomization.yaml"}
        assert beside == {name for name in told["resources"] if "/" not in name}
        assert all((kustomization.parent / name).exists() for name in told["resources"])


@pytest.mark.parametrize("role", ["intake", "worker"])
def test_probes_ask_what_the_bot_answers(role: str) -> None:
    bot = container(role)
    assert bot["args"] == ["run", "--role", role]
    ports = {port["name"]: port["containerPort"] for port in bot["ports"]}
    listens = literals("base/kustomization.yaml")["HTTP_LISTEN"]
    assert listens == f"0.0.0.0:{ports['http']}"
    asked = {kind: bot[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["path"] for kind, probe in asked.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",  # a store that is away is no reason to end a job's process
        "readiness": "/readyz",
    }
    assert {probe["path"] for probe in asked.values()} <= set(RESERVED_PATHS)
    assert {probe["port"] for probe in asked.values()} == {"http"}


def test_settings_exist_and_secrets_come_by_reference_alone() -> None:
    known = {name.upper() for name in Settings.model_fields}
    given = {
        **literals("base/kustomization.yaml"),
        **literals("components/webhook/kustomization.yaml"),
    }
    secrets = {found["metadata"]["name"]: found["stringData"] for found in read("secret.example.yaml")}
    of_valkey = secrets.pop("valkey")
    secret = secrets["nemovideo-bot"]
    assert given.keys() | {name for values in secrets.values() for name in values} <= known
    assert {value for values in (*secrets.values(), of_valkey) for value in values.values()} == {""}
    assert not given.keys() & {name for values in secrets.values() for name in values}
    for name in WORKLOADS:
        assert all("value" not in variable for variable in container(name).get("env", []))
    # Each role has its own, beside what both need.
    assert secrets["nemovideo-bot-worker"].keys() == {"NEMO_TOKEN"}
    assert secrets["nemovideo-bot-intake"].keys() == {"WEBHOOK_SECRET"}
    for role in ("intake", "worker"):
        references = [one["secretRef"] for one in container(role)["envFrom"] if "secretRef" in one]
        assert references == [{"name": "nemovideo-bot"}, {"name": f"nemovideo-bot-{role}", "optional": True}]
    # No disk is shared, so the keys can't come from one.
    assert {"ENCRYPTION_KEYS", "REDIS_URL", "TELEGRAM_BOT_TOKEN"} <= secret.keys()


def test_no_secret_is_part_of_a_build() -> None:
    for path in KUBERNETES.rglob("kustomization.yaml"):
        (told,) = read(str(path.relative_to(KUBERNETES)))
        assert "secretGenerator" not in told
        assert not [name for name in told["resources"] if "secret" in name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_nobody_special_runs_in_a_pod(name: str) -> None:
    spec, only = pod(name)["spec"], container(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert only["resources"]["requests"]["memory"]
    assert only["resources"]["limits"]["memory"]
    volumes = {volume["name"] for volume in spec.get("volumes", [])} | {
        claim["metadata"]["name"] for claim in WORKLOADS[name]["spec"].get("volumeClaimTemplates", [])
    }
    assert {mount["name"] for mount in only["volumeMounts"]} == volumes


def test_an_image_is_one_version() -> None:
    (base,) = read("base/kustomization.yaml")
    pinned = {image["name"]: image["newTag"] for image in base["images"]}
    for name in WORKLOADS:
        image, _, tag = container(name)["image"].partition(":")
        assert re.match(r"\d+\.\d+", tag or pinned[image])


def test_the_bot_runs_under_the_ids_of_its_image() -> None:
    dockerfile = (KUBERNETES.parent / "Dockerfile").read_text("utf-8")
    ids = {name: int(value) for name, value in re.findall(r"ARG ([UG]ID)=(\d+)", dockerfile)}
    for role in ("intake", "worker"):
        context = pod(role)["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (
            ids["UID"],
            ids["GID"],
            ids["GID"],
        )


def test_selectors_find_the_pods_they_are_for() -> None:
    labels = {name: pod(name)["metadata"]["labels"] for name in WORKLOADS}
    for name, workload in WORKLOADS.items():
        assert fits(workload["spec"]["selector"], labels[name])
    for name, service in of_kind("Service").items():
        selector = {"matchLabels": service["spec"]["selector"]}
        assert [pod for pod in labels if fits(selector, labels[pod])] == [name]
        names = {port["name"] for port in container(name)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    budgets = of_kind("PodDisruptionBudget")
    assert set(budgets) == {"intake", "worker"}
    for name, budget in budgets.items():
        assert [pod for pod in labels if fits(budget["spec"]["selector"], labels[pod])] == [name]


def test_a_budget_lets_a_node_be_emptied() -> None:
    least = {
        "intake": WORKLOADS["intake"]["spec"]["replicas"],
        "worker": of_kind("HorizontalPodAutoscaler")["worker"]["spec"]["minReplicas"],
    }
    for name, budget in of_kind("PodDisruptionBudget").items():
        assert 0 < budget["spec"]["minAvailable"] < least[name]


def test_workers_are_counted_by_figures_that_the_bot_gives() -> None:
    spec = of_kind("HorizontalPodAutoscaler")["worker"]["spec"]
    assert spec["scaleTargetRef"]["name"] in WORKLOADS
    assert "replicas" not in WORKLOADS["worker"]["spec"]
    wanted = {one["type"]: one[one["type"].lower()] for one in spec["metrics"]}
    names = {kind: one["metric"]["name"] for kind, one in wanted.items()}
    assert set(names.values()) <= told_by_the_code().keys()
    (adapter,) = read("prometheus-adapter.yaml")
    given = {kind: [rule["name"]["as"] for rule in rules] for kind, rules in adapter["rules"].items()}
    assert given == {"custom": [names["Pods"]], "external": [names["External"]]}
    (custom,) = adapter["rules"]["custom"]
    for query in (custom["seriesQuery"], custom["metricsQuery"]):  # WORKER_JOBS counts no quick answers.
        assert 'queue="main"' in query
    assert float(wanted["Pods"]["target"]["averageValue"]) < Settings.model_fields["worker_jobs"].default
    (scrape,) = read("prometheus.yaml")[0]["scrape_configs"]
    labelled = {rule.get("target_label") for rule in scrape["relabel_configs"]}
    assert {"namespace", "pod"} <= labelled
    assert scrape["job_name"] == "nemovideo-bot"


@pytest.mark.heavy
def test_workers_are_added_for_jobs_that_wait_for_one_and_not_between_two_of_one_chat(tmp_path: Path) -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not here")
    (adapter,) = read("prometheus-adapter.yaml")
    (rule,) = adapter["rules"]["external"]
    query = (
        rule["metricsQuery"].replace("<<.Series>>", rule["name"]["as"]).replace("<<.GroupBy>>", "namespace")
    )
    tests = [
        {
            "interval": "30s",
            "input_series": [
                {"series": f'{rule["name"]["as"]}{{namespace="n",pod="{pod}"}}', "values": values}
                for pod in ("a", "b")
            ],
            "promql_expr_test": [
                {
                    "expr": query.replace("<<.LabelMatchers>>", 'namespace="n"'),
                    "eval_time": "5m",
                    "exp_samples": [{"labels": '{namespace="n"}', "value": expected}],
                }
            ],
        }
        for values, expected in (("0 0 2000 0 0 0 0 2400 0 0 2600", 0), ("100+0x10", 100))
    ]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": tests}), "utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_store_is_reached_by_the_bot_alone() -> None:
    policy = of_kind("NetworkPolicy")["valkey"]["spec"]
    assert fits(policy["podSelector"], pod("valkey")["metadata"]["labels"])
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    (rule,) = policy["ingress"]
    (source,) = rule["from"]
    reached_by = [name for name in WORKLOADS if fits(source["podSelector"], pod(name)["metadata"]["labels"])]
    assert set(source) == {"podSelector"}
    assert reached_by == ["intake", "worker"]


def test_the_bot_reaches_the_store_and_the_outside_and_nothing_else() -> None:
    policy = of_kind("NetworkPolicy")["bot"]["spec"]
    for role in ("intake", "worker"):
        assert fits(policy["podSelector"], pod(role)["metadata"]["labels"])
    allowed = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert allowed == {53, 443, 6379}
    (outside,) = [rule for rule in policy["egress"] if all("ipBlock" in to for to in rule["to"])]
    (names,) = [rule for rule in policy["egress"] if {"port": 53, "protocol": "UDP"} in rule["ports"]]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in names["to"], "node-local DNS"
    blocked = {net for to in outside["to"] for net in to["ipBlock"]["except"]}
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"} <= blocked


def test_deliveries_are_taken_until_balancers_have_heard_that_the_pod_goes() -> None:
    assert container("intake")["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}


def test_the_store_has_a_password_and_keeps_what_it_has() -> None:
    spec, valkey = WORKLOADS["valkey"]["spec"], container("valkey")
    for line in (
        "requirepass",
        "appendonly yes",
        "appendfsync always",
        "maxmemory 768mb",
        "maxmemory-policy noeviction",
    ):
        assert line in valkey["command"][-1]
    assert valkey["env"] == [
        {
            "name": "VALKEY_PASSWORD",
            "valueFrom": {"secretKeyRef": {"name": "valkey", "key": "password"}},
        }
    ]
    assert spec["replicas"] == 1
    (claim,) = spec["volumeClaimTemplates"]
    assert {"name": claim["metadata"]["name"], "mountPath": "/data"} in valkey["volumeMounts"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_only_the_webhooks_path_is_open() -> None:
    (rule,) = of_kind("Ingress")["webhook"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    url = literals("components/webhook/kustomization.yaml")["WEBHOOK_URL"]
    assert url == f"https://{rule['host']}{path['path']}"
    assert path["pathType"] == "Exact"
    assert path["path"] not in RESERVED_PATHS
    service = of_kind("Service")[path["backend"]["service"]["name"]]
    assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
