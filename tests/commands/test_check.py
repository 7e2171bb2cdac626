"""The checks on healthy and on broken set-ups, against the stand-ins."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.commands import check, check_store
from bot.commands.check import GLYPHS, check_fonts, run_checks
from bot.commands.check_findings import Finding, Verdict, ok
from bot.media import decoder_isolation, decoder_process
from bot.runtime.clock import SystemClock
from bot.sandbox.botapi.client import People
from bot.sandbox.services import Services, serve_services
from bot.settings import Settings
from bot.store import keys
from bot.store.connect import Store
from tests.clocks import PATIENCE_S, HandClock
from tests.conversations.test_command import run
from tests.runtime.proxies import serve_proxy

ROOT = Path(__file__).parents[2]
NEMO_TOKEN = "nmv_usr_" + "a" * 32


def of(values: dict[str, Any]) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg]  # of pydantic-settings, unknown to its types


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with serve_services(tmp_path / "services") as served:
        yield served


@pytest.fixture
def settings(services: Services, store: Store, tmp_path: Path) -> Settings:
    values: dict[str, Any] = {
        "telegram_bot_token": services.token,
        "telegram_api_url": services.telegram_url,
        "nemo_api_url": services.nemo_url,
        "redis_url": store.url,
        "data_dir": tmp_path / "data",
    }
    return of(values)


def changed(settings: Settings, **values: Any) -> Settings:
    return of({**settings.model_dump(exclude_unset=True), **values})


async def found(settings: Settings, clock: Any = None, listen_s: int = 0) -> dict[str, Finding]:
    findings = await run_checks(settings, clock or SystemClock(), listen_s=listen_s)
    return {finding.name: finding for finding in findings}


async def test_both_services_are_asked_through_their_proxies_and_no_password_is_shown(
    settings: Settings,
) -> None:
    async with serve_proxy() as proxy:
        urls = {"telegram_proxy": proxy.url("socks5"), "nemo_proxy": proxy.url("http")}
        findings = await found(changed(settings, **urls))
        assert wrongs(findings) == {"store: persistence": "appendonly no: a crash loses jobs"}
        shown = f"socks5://127.0.0.1:{proxy.port}, NemoVideo by http://127.0.0.1:{proxy.port}"
        assert findings["proxies"].found == f"Telegram by {shown}"
        assert len(proxy.targets) >= 2
    findings = await found(changed(settings, **urls))
    assert "TELEGRAM_PROXY" in findings["Telegram"].advice
    assert "NEMO_PROXY" in findings["NemoVideo"].advice


def wrongs(findings: dict[str, Finding]) -> dict[str, str]:
    assert all(bool(one.advice) == (one.verdict is Verdict.WRONG) for one in findings.values())
    return {name: one.found for name, one in findings.items() if one.verdict is Verdict.WRONG}


async def add_account(services: Services, credits: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        body = {"credits": credits, "plan": "pro", "token": NEMO_TOKEN, "may_render": True}
        (await http.post(f"{services.nemo_control_url}/control/accounts", json=body)).raise_for_status()


async def test_a_healthy_set_up_with_an_embedded_store(services: Services, settings: Settings) -> None:
    await add_account(services, 990)
    findings = await found(changed(settings, redis_url=None, nemo_token=NEMO_TOKEN))

    assert wrongs(findings) == {}
    assert findings["store"].found.startswith("Valkey ")
    assert findings["store: persistence"].found == "appendonly yes"
    assert findings["NemoVideo: account"].found == "of NEMO_TOKEN, 990 credits"
    assert findings["clock, by Telegram's"].verdict is Verdict.OK
    assert findings["clock, by NemoVideo's"].verdict is Verdict.OK
    assert "privacy mode on" in findings["Telegram: groups"].found
    assert "nobody polls" in findings["Telegram: updates"].found
    assert findings["own server: its files"].verdict is Verdict.SKIPPED


async def test_whether_botfathers_switches_fit_the_settings(services: Services, settings: Settings) -> None:
    async with People(services.people_url) as people:
        ann = await people.person("Ann")
        staging = await people.new_chat("supergroup", "Staging", ann)
        with_staging = changed(settings, staging_chat=staging.id)
        off = await found(with_staging)
        assert off["Telegram: guest mode"].found == "STAGING_CHAT is set, but guest mode is off"
        assert {off[f"Telegram: {name}"].verdict for name in ("inline mode", "topics")} == {Verdict.SKIPPED}
        await people.ask("set_bot", guest=True, inline=True, topics=True)
        on = await found(with_staging)
        assert {on[f"Telegram: {name}"].verdict for name in ("inline mode", "topics", "guest mode")} == {
            Verdict.OK
        }
        unset, elsewhere = await found(settings), await found(changed(settings, staging_chat=-1000000000099))
    assert "get a button" in unset["Telegram: guest mode"].found
    assert "can't use STAGING_CHAT: Bad Request: chat not found" in elsewhere["Telegram: guest mode"].found


async def test_redis_without_persistence(settings: Settings) -> None:
    # The tests' own store has none.
    findings = await found(settings)
    assert wrongs(findings) == {"store: persistence": "appendonly no: a crash loses jobs"}


async def test_an_acl_that_keeps_docket_from_listening(settings: Settings, store: Store) -> None:
    documented = re.search(
        r"channels may be limited to\s+`([^`]+)`", (ROOT / "deploy" / "README.md").read_text("utf-8")
    )
    assert documented is not None
    limited = documented[1].replace("&", "").split()
    cases = (
        (["nemo:*"], Verdict.WRONG),
        (limited[:-1], Verdict.WRONG),
        (limited, Verdict.OK),
        (["*"], Verdict.OK),
    )
    for channels, verdict in cases:
        await store.redis.acl_setuser(
            "bot",
            enabled=True,
            passwords="+hush-hush",
            keys=["nemo:*"],
            channels=channels,
            reset=True,
            categories=["+@all", "-@dangerous", "-@admin"],
            commands=["+info"],
        )
        url = store.url.replace("unix://", "unix://bot:hush-hush@")
        findings = await found(changed(settings, redis_url=url))
        assert findings["store: messages"].verdict is verdict
        assert ("&*" in findings["store: messages"].advice) == (verdict is Verdict.WRONG)
    await store.redis.acl_deluser("bot")


async def test_redis_that_is_not_there_leaves_the_rest_to_be_looked_at(settings: Settings) -> None:
    findings = await found(changed(settings, redis_url="redis://:hush-hush@127.0.0.1:1/0"))
    [(name, words)] = wrongs(findings).items()
    assert name == "store"
    assert "127.0.0.1:1" in words
    assert "hush" not in str(findings)
    assert findings["Telegram"].verdict is findings["NemoVideo"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("redis://redis.example:6379", Verdict.WRONG),
        ("redis://:secret@redis.example:6379", Verdict.OK),
        ("redis://redis.example:6379?password=secret", Verdict.OK),
        ("redis://:secret@10.0.0.7:6379", Verdict.OK),
        ("redis://:secret@valkey:6379", Verdict.OK),
        ("redis://:secret@redis.nemovideo.ai:6379", Verdict.WRONG),
        ("redis://:secret@8.8.8.8:6379", Verdict.WRONG),
        ("rediss://:secret@redis.nemovideo.ai:6379", Verdict.OK),
        ("rediss://redis.nemovideo.ai:6379", Verdict.WRONG),
        ("redis://127.0.0.1:6379", Verdict.SKIPPED),
        ("redis://[::1]:6379", Verdict.SKIPPED),
    ],
)
async def test_a_password_is_asked_for_beyond_this_machine(
    settings: Settings, redis: Redis, url: str, verdict: Verdict
) -> None:
    findings = await check_store.check_store(redis, changed(settings, redis_url=url))
    [password] = [one for one in findings if one.name == "store: password"]
    assert password.verdict is verdict
    assert "secret" not in str(findings)


async def test_a_store_of_others(settings: Settings, redis: Redis) -> None:
    await redis.set(keys.SCHEMA, 99)
    await redis.set(keys.CIPHER_MARKER, Fernet(Fernet.generate_key()).encrypt(b"x").decode())
    assert wrongs(await found(settings)).keys() >= {"store: version of the data", "encryption key"}
    own = changed(settings, encryption_keys=Fernet.generate_key().decode())
    assert wrongs(await found(own))["encryption key"] == "the store was written with another"
    assert not (settings.data_dir / "encryption.key").exists()


async def test_a_refused_token(settings: Settings) -> None:
    token = "123456789:" + "B" * 35
    findings = await found(changed(settings, telegram_bot_token=token, redis_url=None))
    assert wrongs(findings) == {"Telegram": "TELEGRAM_BOT_TOKEN is refused (401 Unauthorized)"}
    assert token not in str(findings)


async def test_services_that_fail(services: Services, settings: Settings) -> None:
    async with People(services.people_url, app=services.telegram_app) as people:
        await people.faults.error("getMe", code=502, description="Bad Gateway")
    async with httpx.AsyncClient(trust_env=False) as http:
        body = {"endpoint": "credits", "status": 503, "times": -1}
        (await http.post(f"{services.nemo_control_url}/control/faults", json=body)).raise_for_status()

    told = wrongs(await found(changed(settings, redis_url=None)))

    assert told.keys() == {"Telegram", "NemoVideo"}
    assert told["Telegram"] == "it answers: 502 Bad Gateway"
    assert "HTTP 503" in told["NemoVideo"]


def test_a_password_in_an_address_is_not_shown() -> None:
    assert "hush" not in ok("NemoVideo", "http://me:hush@nemo.example").found


async def test_services_that_do_not_answer(settings: Settings) -> None:
    gone = "http://127.0.0.1:1"
    findings = await found(changed(settings, telegram_api_url=gone, nemo_api_url=gone, redis_url=None))
    assert wrongs(findings).keys() == {"Telegram", "NemoVideo"}
    assert settings.telegram_bot_token is not None
    assert settings.telegram_bot_token.get_secret_value() not in str(findings)


async def call(services: Services, method: str, **params: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.post(f"{services.telegram_url}/bot{services.token}/{method}", json=params)


async def test_another_programs_webhook(services: Services, settings: Settings) -> None:
    await call(services, "setWebhook", url="https://other.example/a-secret-path")
    findings = await found(changed(settings, redis_url=None))
    assert wrongs(findings) == {
        "Telegram: updates": "they are delivered to another webhook, at other.example"
    }
    assert "a-secret-path" not in str(findings)


async def test_our_own_webhook_and_its_failures(services: Services, settings: Settings) -> None:
    url = "https://bot.example/a-secret-path"
    await call(services, "setWebhook", url=url)
    ours = changed(settings, redis_url=None, webhook_url=url, webhook_secret="s" * 32)
    assert (await found(ours))["Telegram: updates"].found == "by our webhook at bot.example; 0 wait"

    bot = services.telegram.bot_of(services.token)
    assert bot is not None
    assert bot.queue.webhook is not None
    bot.queue.webhook.last_error_date = int((SystemClock().now() - timedelta(minutes=5)).timestamp())
    bot.queue.webhook.last_error_message = "Connection refused"
    assert "Connection refused" in wrongs(await found(ours))["Telegram: updates"]


async def test_another_program_that_polls(services: Services, settings: Settings) -> None:
    async def poll() -> None:
        while True:
            await call(services, "getUpdates", timeout=20)
            await asyncio.sleep(0.05)

    polling = asyncio.create_task(poll())
    try:
        bot = services.telegram.bot_of(services.token)
        assert bot is not None
        async with asyncio.timeout(PATIENCE_S):
            while not bot.queue.is_polled:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        findings = await found(changed(settings, redis_url=None), listen_s=1)
        assert wrongs(findings) == {"Telegram: updates": "another program polls with this token"}
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


async def test_a_process_of_ours_that_polls_is_not_disturbed(
    services: Services, settings: Settings, redis: Redis
) -> None:
    await redis.set(keys.POLLING_LOCK, "somebody")
    assert "a process on this store polls" in (await found(settings))["Telegram: updates"].found
    calls = [call.method for call in services.telegram.journal.calls]
    assert "getUpdates" not in calls


async def test_nemovideo_refuses_the_operators_token(settings: Settings) -> None:
    findings = await found(changed(settings, nemo_token=NEMO_TOKEN, redis_url=None))
    assert wrongs(findings).keys() == {"NemoVideo: account"}
    assert NEMO_TOKEN not in str(findings)


async def test_an_account_without_credits(services: Services, settings: Settings) -> None:
    await add_account(services, 0)
    findings = await found(changed(settings, nemo_token=NEMO_TOKEN, redis_url=None))
    assert wrongs(findings) == {"NemoVideo: account": "no credits are left"}


async def test_no_guest_accounts_left(settings: Settings, redis: Redis) -> None:
    now = SystemClock().now().timestamp()
    await redis.zadd(keys.GUEST_TOKENS, {str(number): now for number in range(10)})
    assert "10 guest accounts" in wrongs(await found(settings))["NemoVideo: account"]


async def test_a_clock_that_is_wrong(settings: Settings) -> None:
    findings = await found(changed(settings, redis_url=None), HandClock())
    assert wrongs(findings).keys() == {"clock, by Telegram's", "clock, by NemoVideo's"}


async def test_an_own_servers_directories(settings: Settings, tmp_path: Path) -> None:
    local = {"telegram_local_mode": True, "redis_url": None, "telegram_files_dir": tmp_path / "files"}
    findings = await found(changed(settings, **local))
    assert wrongs(findings) == {"own server: its files": f"{tmp_path / 'files'} is not there"}

    (tmp_path / "files").mkdir()
    assert wrongs(await found(changed(settings, **local))) == {}

    (tmp_path / "file").write_text("no directory")
    blocked = await found(changed(settings, **local, shared_dir=tmp_path / "file"))
    assert wrongs(blocked).keys() == {"own server: results"}


async def test_a_full_disk(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_store, "MIN_FREE_BYTES", 1 << 62)
    assert wrongs(await found(changed(settings, redis_url=None))).keys() == {"disk: DATA_DIR"}

    (tmp_path / "files").mkdir()
    local = {"telegram_local_mode": True, "redis_url": None, "telegram_files_dir": tmp_path / "files"}
    names = {"disk: DATA_DIR", "own server: its files", "own server: results"}
    assert wrongs(await found(changed(settings, **local))).keys() == names


async def test_what_isolates_decoders_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    mechanisms = (await found(settings))["decoders: isolated by"]
    assert (mechanisms.verdict, mechanisms.found) == (Verdict.OK, await decoder_process.active_isolation())

    async def nothing() -> str:
        return decoder_isolation.NOTHING

    monkeypatch.setattr(check, "active_isolation", nothing)
    assert (await found(settings))["decoders: isolated by"].verdict is Verdict.SKIPPED

    async def broken() -> str:
        raise decoder_process.NotDecoded("the decoder crashed or exceeded its bounds")

    monkeypatch.setattr(check, "active_isolation", broken)
    assert "decoders: isolated by" in wrongs(await found(settings))


def test_fonts_that_are_broken(tmp_path: Path) -> None:
    assert [one.verdict for one in check_fonts()] == [Verdict.OK, Verdict.OK]
    broken = tmp_path / "NotoSansSC-Medium.ttf"
    broken.write_bytes(b"no font")
    name, _, character = GLYPHS[0]
    [finding] = check_fonts(((name, broken, character),))
    assert finding.verdict is Verdict.WRONG


@pytest.mark.heavy
async def test_the_command_prints_a_table_and_exits_with_1(settings: Settings, tmp_path: Path) -> None:
    assert settings.telegram_bot_token is not None
    given = {
        "TELEGRAM_BOT_TOKEN": settings.telegram_bot_token.get_secret_value(),
        "TELEGRAM_API_URL": settings.telegram_api_url,
        "NEMO_API_URL": settings.nemo_api_url,
        "DATA_DIR": str(tmp_path / "own"),
        # A poll that ends at once, not after the seconds that the command listens.
        "WEBHOOK_URL": "https://bot.example/path",
        "WEBHOOK_SECRET": "s" * 32,
    }
    code, out, err = await run("check", cwd=tmp_path, **given)
    assert (code, err) == (0, ""), out
    assert out.splitlines()[0].split() == ["✓", "settings", "valid"]
    assert out.splitlines()[-1] == "No problems found."

    code, out, err = await run("check", "--json", cwd=tmp_path, **given | {"NEMO_TOKEN": NEMO_TOKEN})
    assert (code, err) == (1, "")
    told = json.loads(out)
    assert told["ok"] is False
    assert [one["name"] for one in told["checks"] if one["verdict"] == "wrong"] == ["NemoVideo: account"]
    for secret in (given["TELEGRAM_BOT_TOKEN"], given["WEBHOOK_SECRET"], NEMO_TOKEN):
        assert secret not in out


@pytest.mark.heavy
async def test_settings_that_are_wrong_are_told_in_the_table(tmp_path: Path) -> None:
    code, out, err = await run("check", cwd=tmp_path, TELEGRAM_BOT_TOKEN="hush", DEAD_WORKER_S="-1")
    assert (code, err) == (1, "")
    assert "✗ settings: TELEGRAM_BOT_TOKEN" in out
    assert "✗ settings: DEAD_WORKER_S" in out
    assert "hush" not in out
