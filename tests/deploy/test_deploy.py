import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from bot.settings import Settings
from bot.store.server import find_server_binary

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
COMPOSE = ROOT / "deploy/compose.yaml"
CI = ROOT / ".ci/run"

SLOW_START = Retry(ConstantBackoff(0.1), 300)


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return loaded


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text("utf-8")))
    return [
        (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()
    ]


@pytest.mark.parametrize(("old", "new", "code"), [("", "", 0), ("restart:", "restrat:", 1)])
def test_the_compose_file_is_as_its_specification_says(tmp_path: Path, old: str, new: str, code: int) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE.read_text("utf-8").replace(old, new), "utf-8")
    checked = check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", tmp_path / "compose.yaml")
    assert checked.returncode == code, checked.stdout


@pytest.mark.parametrize(("old", "new", "code"), [("", "", 0), ("USER ", "USR ", 1)])
def test_a_linter_has_nothing_to_say_of_the_dockerfile(tmp_path: Path, old: str, new: str, code: int) -> None:
    if not (Path(sys.executable).parent / "hadolint").exists():
        pytest.skip("hadolint is not made for this system")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.read_text("utf-8").replace(old, new), "utf-8")
    checked = check("hadolint", "--no-color", tmp_path / "Dockerfile")
    assert (checked.returncode, checked.stdout == "") == (code, code == 0), checked.stdout


def test_caddy_takes_its_file() -> None:
    if not (caddy := shutil.which("caddy")):
        pytest.skip("caddy is not here")
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", str(ROOT / "deploy/Caddyfile")],
        env={**os.environ, "WEBHOOK_HOST": "bot.example.org", "WEBHOOK_PATH": "/telegram"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def check(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool that is installed beside the tests."""
    command = [str(Path(sys.executable).parent / tool), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_port_is_open_to_the_outside_but_the_webhooks() -> None:
    for name, service in compose()["services"].items():
        ports = service.get("ports", ())
        assert name == "caddy" or all(port.startswith("127.0.0.1:") for port in ports), name
        assert service.get("network_mode") != "host", name


def test_the_store_has_a_password_stays_inside_and_keeps_what_it_has() -> None:
    loaded = compose()
    valkey = loaded["services"]["valkey"]
    assert valkey["networks"] == ["store"]
    assert loaded["networks"]["store"]["internal"] is True
    assert "requirepass" in valkey["command"][-1]
    assert "appendonly yes" in valkey["command"][-1]
    assert valkey["volumes"] == ["store:/data"]
    assert "${VALKEY_PASSWORD:?" in valkey["environment"]["VALKEY_PASSWORD"]


def test_an_image_of_others_is_one_version() -> None:
    for name, service in compose()["services"].items():
        assert "build" in service or re.search(r":v?\d+\.\d+", service["image"]), name


@pytest.mark.heavy
def test_the_store_is_process_1_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    command = compose()["services"]["valkey"]["command"][-1].replace("$$", "$")
    (tmp_path / "valkey-server").symlink_to(find_server_binary())
    script = command.replace("dir /data", f"dir {tmp_path}\nport 0\nunixsocket {tmp_path}/store.sock")
    store = subprocess.Popen(
        ["sh", "-c", script],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "VALKEY_PASSWORD": "abc123"},
        stdout=subprocess.DEVNULL,
    )
    try:
        with Redis(unix_socket_path=f"{tmp_path}/store.sock", password="abc123", retry=SLOW_START) as redis:
            memory = redis.info("memory")
            assert (memory["maxmemory"], memory["maxmemory_policy"]) == (1536 * 2**20, "noeviction")
        store.terminate()
        assert store.wait(float(compose()["services"]["valkey"]["stop_grace_period"].rstrip("s"))) == 0
    finally:
        store.kill()


def test_the_stores_command_makes_a_configuration() -> None:
    command = compose()["services"]["valkey"]["command"][-1].replace("$$", "$")
    script = command.replace("exec valkey-server -", "cat")
    shown = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "VALKEY_PASSWORD": "abc123"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == [
        "requirepass abc123",
        "appendonly yes",
        "appendfsync always",
        'save ""',
        "maxmemory 1536mb",
        "maxmemory-policy noeviction",
        "hash-max-listpack-value 512",
        "dir /data",
    ]


def test_bot_and_bot_api_server_see_files_under_one_path() -> None:
    services = compose()["services"]
    assert services["bot-api"]["profiles"] == ["bot-api"]
    shared, _ = services["bot-api"]["volumes"]
    assert shared in services["bot"]["volumes"]
    assert set(services["bot-api"]["networks"]) & set(services["bot"]["networks"])


def test_of_the_web_app_only_the_webhook_is_for_everybody() -> None:
    caddy = compose()["services"]["caddy"]
    assert caddy["profiles"] == ["webhook"]
    assert set(caddy["networks"]) & set(compose()["services"]["bot"]["networks"]) >= {"webhook"}
    rules = (ROOT / "deploy/Caddyfile").read_text("utf-8")
    assert re.findall(r"handle (\S+) \{\s+reverse_proxy (\S+)", rules) == [("{$WEBHOOK_PATH}", "bot:8080")]
    assert rules.count("reverse_proxy") == 1
    assert "respond 404" in rules


def test_the_monitoring_is_for_this_machine_alone_and_finds_the_bot_and_its_rules() -> None:
    services = compose()["services"]
    for name in ("prometheus", "grafana"):
        assert services[name]["profiles"] == ["monitoring"]
        assert "monitoring" in services[name]["networks"]
    assert compose()["networks"]["monitoring"]["internal"] is True
    assert "monitoring" in services["bot"]["networks"]
    folder = ROOT / "deploy/monitoring/compose"
    scraped = yaml.safe_load((folder / "prometheus.yaml").read_text("utf-8"))
    (job,) = scraped["scrape_configs"]
    assert job["job_name"] == "nemovideo-bot"  # the alerts name it
    (found,) = job["dns_sd_configs"]
    assert f"0.0.0.0:{found['port']}" == services["bot"]["environment"]["HTTP_LISTEN"]
    assert [(folder / rules).resolve().exists() for rules in scraped["rule_files"]] == [True]


def test_no_log_fills_the_disk() -> None:
    for name, service in compose()["services"].items():
        assert service["logging"] == {"driver": "local", "options": {"max-size": "10m", "max-file": "5"}}, (
            name
        )


def test_the_readme_names_the_profile_and_all_that_must_be_set() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    containers = readme[readme.index("With containers:") :].split("\n\n")[0]
    assert re.findall(r"profile `([\w-]+)`", containers) == ["bot-api", "webhook", "monitoring"]
    for name in set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text("utf-8"))):
        assert f"`{name}=`" in containers
    assert "TELEGRAM_BOT_TOKEN=" in readme


def test_everything_named_is_declared() -> None:
    loaded = compose()
    for service in loaded["services"].values():
        assert set(service["networks"]) <= set(loaded["networks"])
        sources = {volume.split(":")[0] for volume in service["volumes"]}
        assert {source for source in sources if not source.startswith("./")} <= set(loaded["volumes"])
        assert all((ROOT / "deploy" / source).exists() for source in sources if source.startswith("./"))
        assert set(service.get("depends_on", ())) <= set(loaded["services"])


def test_the_notes_name_settings_that_exist() -> None:
    notes = re.findall(r"(?m)^#\s+([A-Z_]+)=", COMPOSE.read_text("utf-8"))
    of_others = {
        "WEBHOOK_HOST",
        "WEBHOOK_PATH",
        "VALKEY_PASSWORD",
        "COMPOSE_PROFILES",
        "TELEGRAM_API_ID",
        "TELEGRAM_API_HASH",
        "GRAFANA_PASSWORD",
    }
    given = {*notes, "REDIS_URL", "DATA_DIR"} - of_others
    assert given <= {name.upper() for name in Settings.model_fields}


def test_the_image_runs_as_nobody_special() -> None:
    last_stage = instructions()[max(n for n, (what, _) in enumerate(instructions()) if what == "FROM") :]
    users = [value for what, value in last_stage if what == "USER"]
    assert users == ["$UID:$GID"]
    assert [value for what, value in last_stage if what == "ARG"] == ["UID=101", "GID=101"]
    assert ("ENTRYPOINT", '["nemovideo-bot"]') in last_stage
    assert not [value for what, value in last_stage if what == "RUN" and "uv" in shlex.split(value)]


def test_what_the_image_copies_is_there_and_let_through() -> None:
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for what, value in instructions():
        if what == "COPY" and not value.startswith("--from"):
            for source in value.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source


def test_one_version_of_uv_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (required,) = project["build-system"]["requires"]
    version = required.removeprefix("uv_build==")
    pinned = (ROOT / "deploy/hashes/uv.txt").read_text("utf-8")
    assert re.findall(r"(?m)^([\w-]+)==(\S+)", pinned) == [("uv", version), ("uv-build", version)]


@pytest.mark.parametrize("name", ["try/run", "try/first-commands", "backup", "restore-rdb"])
def test_a_script_is_sound(name: str) -> None:
    script = ROOT / "deploy" / name
    assert os.access(script, os.X_OK)
    subprocess.run(["sh", "-n", str(script)], check=True)


def test_the_first_commands_are_those_that_are_typed_on_a_fresh_system() -> None:
    first, *_ = re.findall(r"(?ms)^```sh\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"))
    clone, pipx, bot = first.splitlines()
    # What `deploy/try/first-commands` replaces, and where it opens a new terminal.
    assert "REPOSITORY" in clone
    assert pipx.startswith("pipx ")
    assert bot.endswith("nemovideo-bot sandbox")


def test_the_check_script_is_sound() -> None:
    assert os.access(CI, os.X_OK)
    subprocess.run(["bash", "-n", str(CI)], check=True)
    lines = CI.read_text("utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-2:] == ["uv run pytest", "uv run pytest -m heavy"]
