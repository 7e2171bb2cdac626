"""Accounts, projects and links of chats, over HTTP against NemoVideo's stand-in and with the real store."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
import structlog
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.chats.chats import AccountKind, Chat, ChatFields, Chats
from bot.chats.key import ChatKey
from bot.chats.project_list import ListedProject
from bot.chats.token_cipher import TokenCipher
from bot.jobs.buttons import Retry
from bot.jobs.messages import LocalizedMessage, PrivateMessage
from bot.jobs.model import Attachment, Job, new_job_id
from bot.jobs.steps.service_errors import ended_by
from bot.nemo.answers import Credits
from bot.nemo.client import NemoClient
from bot.nemo.errors import (
    AccessRefused,
    AlreadyUploaded,
    AuthError,
    Call,
    ClientIdMissing,
    ExportNotInPlan,
    FileSizeRefused,
    NemoError,
    NoCredits,
    PaymentRequired,
    RateLimited,
    ServiceError,
    SessionGone,
    TransportError,
    WarmingUp,
)
from bot.projects.accounts import RENEW_AHEAD, NoGuestAccountsLeft, PersonHasGuestAccount
from bot.projects.call_retries import PAUSES_S, RATE_LIMIT_PAUSE_S, WARM_UP_PAUSES_S
from bot.projects.guest_account_count import GUEST_ACCOUNTS_PER_WEEK, WEEK, GuestAccountCounter
from bot.projects.operator_token import OperatorToken
from bot.projects.projects import LINK_MARGIN, LossReason, Project, ProjectLoss, ProjectOptions, Projects
from bot.runtime.http import new_client
from bot.sandbox.nemovideo.app import create_app
from bot.sandbox.nemovideo.client import NemoControl
from bot.store import keys
from bot.web.serve import serve
from tests.cards import built_in_cards
from tests.jobs.conftest import new_job

WEB = "https://nemovideo.example"
OPERATOR = "nmv_usr_operators_token"
GROUP = ChatKey(-100123)
CALL = Call("POST", "/x")
DAY = timedelta(days=1)


class QuickClock:
    """Time passes when somebody sleeps, or when a test says so; nobody waits."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()

    async def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.at += timedelta(seconds=duration_s)


@dataclass
class Office:
    """Workspaces that share a store, beside the service."""

    nemo: NemoControl
    chats: Chats
    clock: QuickClock
    guest_accounts: GuestAccountCounter
    open: Callable[[str | None], Projects]

    async def asked(self, endpoint: str) -> int:
        return sum(request.endpoint == endpoint for request in await self.nemo.requests())


@pytest.fixture
async def office(redis: Redis, tmp_path: Path) -> AsyncIterator[Office]:
    clock = QuickClock()
    token_cipher = TokenCipher([Fernet.generate_key().decode()])
    chats = Chats(redis, token_cipher)
    guest_accounts = GuestAccountCounter(redis, clock)
    async with AsyncExitStack() as stack:
        app = create_app(tmp_path, clock=clock)
        url = await stack.enter_async_context(serve(app))
        nemo = await stack.enter_async_context(NemoControl(url, app))
        http = await stack.enter_async_context(new_client())

        def open_workspace(operator_token: str | None = None) -> Projects:
            options = ProjectOptions(WEB, 1000)
            operator = OperatorToken(redis, operator_token, alert=AsyncMock())
            cards = built_in_cards(platform="test")
            return Projects(NemoClient(http, url), chats, cards, guest_accounts, clock, operator, options)

        yield Office(nemo, chats, clock, guest_accounts, open_workspace)


async def whole(project: Project) -> Project:
    return project


async def credits_of(projects: Projects, job: Job) -> Credits:
    return await projects.call(job, lambda project: projects.nemo.get_credits(project.credentials))


async def test_the_chats_own_token_goes_before_the_operators_and_that_before_a_guests(office: Office) -> None:
    job, operated, plain = new_job(), office.open(OPERATOR), office.open(None)
    await office.nemo.add_account(token=OPERATOR, credits=11)
    own = await office.nemo.add_account(credits=22)

    assert (await credits_of(plain, job)).available == 100
    assert (await credits_of(operated, job)).available == 11
    await operated.accounts.set_own_token(job.chat, own.token)
    assert (await credits_of(operated, job)).available == 22
    assert (await credits_of(plain, job)).available == 22
    await operated.accounts.clear_own_token(job.chat)
    assert (await credits_of(operated, job)).available == 11
    # The guest's token was kept all the while.
    assert (await credits_of(plain, job)).available == 100
    assert await office.asked("anonymous-token") == 1


async def test_another_account_begins_a_new_project_and_keeps_the_client_id(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    own = await office.nemo.add_account()
    guests = await projects.call(job, whole)
    client_id = (await office.chats.get(job.chat)).client_id
    await office.chats.update(job.chat, ChatFields(export_refused_at=office.clock.now()))

    await projects.accounts.set_own_token(job.chat, own.token)
    owns = await projects.call(job, whole)
    assert owns.session_id != guests.session_id
    assert owns.account is AccountKind.OWN
    chat = await office.chats.get(job.chat)
    assert chat.export_refused_at is None
    assert chat.client_id == client_id

    await projects.accounts.set_own_token(job.chat, own.token)  # the same one is no other account
    assert (await projects.call(job, whole)).session_id == owns.session_id

    await projects.accounts.clear_own_token(job.chat)
    assert (await office.chats.get(job.chat)).own_token is None
    assert (await projects.call(job, whole)).session_id not in (owns.session_id, guests.session_id)
    assert len({account.client_id for account in await office.nemo.accounts()} - {None}) == 1


@pytest.mark.parametrize("left", [timedelta(0), RENEW_AHEAD - timedelta(seconds=1)])
async def test_a_guest_token_is_renewed_before_it_ends_and_the_project_stays(
    office: Office, left: timedelta
) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)
    kept = await office.chats.get(job.chat)
    assert kept.token_expires_at is not None

    office.clock.at = kept.token_expires_at - left
    # The service thinks it over: what it gives has to be another token.
    await office.nemo.move_clock(left.total_seconds())
    after = await projects.call(job, whole)

    assert after.session_id == before.session_id
    assert after.credentials.token != before.credentials.token
    assert await office.asked("anonymous-token") == 2
    assert len(await office.nemo.accounts()) == 1


@pytest.mark.parametrize("expires_at", ["2020-01-01T00:00:00Z", "2026-05-01T12:04:00Z", 604800, "soon", None])
async def test_a_false_end_of_a_guest_token_renews_nothing(office: Office, expires_at: object) -> None:
    given = {"token": (await office.nemo.add_account()).token, "expires_at": expires_at}
    body = json.dumps({"code": 0, "data": given})
    await office.nemo.fault("anonymous-token", times=-1, body=body, content_type="application/json")
    job, projects = new_job(), office.open(None)
    await projects.call(job, whole)
    await projects.call(job, whole)
    assert await office.asked("anonymous-token") == 1


async def test_a_token_that_still_holds_serves_while_there_is_no_new_one(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)
    kept = await office.chats.get(job.chat)
    assert kept.token_expires_at is not None
    office.clock.at = kept.token_expires_at - RENEW_AHEAD
    await office.nemo.fault("anonymous-token", status=429, times=-1)

    assert await projects.call(job, whole) == before
    assert office.clock.slept == []


@pytest.mark.parametrize("code", [1001, 1010, 1011])
@pytest.mark.parametrize("status", [200, 401])
async def test_a_guest_token_that_is_refused_is_renewed_once_and_the_project_stays(
    office: Office, code: int, status: int
) -> None:
    job, projects = new_job(), office.open(None)
    await office.nemo.set(auth_code=code, auth_status=status)
    before = await projects.call(job, whole)
    (guest,) = await office.nemo.accounts()
    await office.nemo.change_account(guest.user_id, expired=True)

    assert (await credits_of(projects, job)).available == 100
    assert await projects.call(job, whole) == replace(
        before, credentials=(await projects.call(job, whole)).credentials
    )
    assert await office.asked("anonymous-token") == 2


async def test_a_guest_who_became_another_begins_a_new_project_and_is_told(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)
    fields = ChatFields(user_id="anon_somebody_else", export_refused_at=office.clock.now())
    await office.chats.update(job.chat, fields)
    (guest,) = await office.nemo.accounts()
    await office.nemo.change_account(guest.user_id, expired=True)
    told: list[ProjectLoss] = []

    async def tell(loss: ProjectLoss) -> None:
        told.append(loss)

    async def project_after_credits(project: Project) -> Project:
        await projects.nemo.get_credits(project.credentials)
        return project

    after = await projects.call(job, project_after_credits, on_loss=tell)
    assert after.session_id != before.session_id
    assert told == [ProjectLoss(before.session_id)]
    assert (await office.chats.get(job.chat)).export_refused_at is None  # It may have another plan.


async def test_a_groups_account_is_renewed_for_whoever_asks(office: Office) -> None:
    projects, group = office.open(None), new_job(chat=ChatKey(-100500), requester_id=1)
    await projects.call(group, whole)
    await projects.call(new_job(chat=ChatKey(2), requester_id=2), whole)
    guest = (await office.chats.get(group.chat)).user_id
    assert guest is not None
    await office.nemo.change_account(guest, expired=True)
    # Who has an account of their own gets no second one by it.
    assert (await credits_of(projects, replace(group, id=new_job_id(), requester_id=2))).available == 100


async def test_a_renewed_token_without_the_accounts_id_is_of_the_same_account(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    await projects.call(job, whole)
    guest = (await office.chats.get(job.chat)).user_id
    assert guest is not None
    await office.nemo.change_account(guest, expired=True)
    await office.nemo.add_account(token="nmv_anon_bare")
    bare = '{"code": 0, "data": {"token": "nmv_anon_bare"}}'
    await office.nemo.fault("anonymous-token", status=200, body=bare)
    await credits_of(projects, job)
    assert (await office.chats.get(job.chat)).user_id == guest


async def test_an_account_that_is_named_only_at_its_renewal_keeps_its_project(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)
    (guest,) = await office.nemo.accounts()
    await office.chats.update(job.chat, ChatFields(user_id=None))  # Its first answer didn't name it.
    await office.nemo.change_account(guest.user_id, expired=True)
    await credits_of(projects, job)
    assert (await projects.call(job, whole)).session_id == before.session_id
    assert (await office.chats.get(job.chat)).user_id == guest.user_id


async def test_a_project_that_another_job_has_replaced_meanwhile_stays(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)

    async def late(project: Project) -> Project:
        if project.session_id == before.session_id:
            await office.chats.update(job.chat, ChatFields(session_id="newer"))
            raise SessionGone(CALL, code=1002)
        return project

    assert (await projects.call(job, late)).session_id == "newer"


async def test_a_refused_operators_token_leaves_the_project_alone(office: Office) -> None:
    account = await office.nemo.add_account(token=OPERATOR)
    job, projects = new_job(), office.open(OPERATOR)
    before = await projects.call(job, whole)
    await office.nemo.change_account(account.user_id, expired=True)
    with pytest.raises(AuthError):
        await credits_of(projects, job)
    assert (await office.chats.get(job.chat)).session_id == before.session_id


async def test_a_guest_who_became_another_without_a_project_is_not_told_that_one_was_lost(
    office: Office,
) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)
    await projects.leave(job.chat)
    await office.chats.update(job.chat, ChatFields(user_id="anon_somebody_else"))
    (guest,) = await office.nemo.accounts()
    await office.nemo.change_account(guest.user_id, expired=True)
    told: list[ProjectLoss] = []

    async def tell(loss: ProjectLoss) -> None:
        told.append(loss)

    after = await projects.call(job, whole, on_loss=tell)
    assert after.session_id != before.session_id
    assert await office.asked("anonymous-token") == 2
    assert told == []


@pytest.mark.parametrize("is_own", [True, False])
async def test_a_refused_token_of_somebodys_own_is_told_and_never_replaced(
    office: Office, is_own: bool
) -> None:
    job = new_job()
    projects = office.open(None if is_own else OPERATOR)
    account = await office.nemo.add_account(token=OPERATOR)
    if is_own:
        await projects.accounts.set_own_token(job.chat, OPERATOR)
    await projects.call(job, whole)
    await office.nemo.change_account(account.user_id, expired=True)

    with pytest.raises(AuthError) as caught:
        await credits_of(projects, job)
    told = (await ended_by(projects, job, caught.value)).message
    assert isinstance(told, PrivateMessage)
    message = told.message
    assert isinstance(message, LocalizedMessage)
    assert message.key == ("error.token_refused_own" if is_own else "error.token_refused")
    assert await office.asked("anonymous-token") == 0


async def test_too_many_requests_are_waited_out_once(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    await office.nemo.fault("credits", status=429)
    assert (await credits_of(projects, job)).available == 100
    assert office.clock.slept == [RATE_LIMIT_PAUSE_S] == [30]

    await office.nemo.fault("credits", status=429, times=2)
    with pytest.raises(RateLimited):
        await credits_of(projects, job)
    assert office.clock.slept == [RATE_LIMIT_PAUSE_S] * 2


async def test_a_service_that_wants_an_hour_of_patience_is_not_waited_for(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    await office.nemo.fault("credits", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited):
        await credits_of(projects, job)
    assert office.clock.slept == []


async def test_only_what_never_reached_the_service_is_sent_again(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    tries: list[bool] = []

    async def call(project: Project) -> None:
        tries.append(True)
        raise TransportError(CALL, "lost", sent=sent)

    sent = True
    with pytest.raises(TransportError):
        await projects.call(job, call)
    assert len(tries) == 1
    tries.clear()
    sent = False
    with pytest.raises(TransportError):
        await projects.call(job, call)
    assert len(tries) == 1 + len(PAUSES_S)
    assert office.clock.slept == list(PAUSES_S)


async def test_a_starting_sandbox_is_asked_ten_more_times(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    await projects.open(job)
    starting = {"content_type": "application/json", "body": '{"reason": "sandbox is starting"}'}
    await office.nemo.fault("credits", status=503, times=10, **starting)
    await credits_of(projects, job)
    assert office.clock.slept == list(WARM_UP_PAUSES_S)
    await office.nemo.fault("credits", status=403, times=-1, **starting)
    with pytest.raises(WarmingUp):
        await credits_of(projects, job)


@pytest.mark.parametrize(
    ("chat", "key"),
    [(ChatKey(4711), "error.tokens_used_up"), (GROUP, "error.tokens_used_up_group")],
)
async def test_a_chat_learns_when_the_addresss_tokens_are_used_up(
    office: Office, chat: ChatKey, key: str
) -> None:
    job, projects = new_job(chat=chat), office.open(None)
    await office.nemo.set(anonymous_per_address=0)
    with structlog.testing.capture_logs() as logs, pytest.raises(NoGuestAccountsLeft) as caught:
        await projects.call(job, whole)
    message = (await ended_by(projects, job, caught.value)).message
    assert isinstance(message, LocalizedMessage)
    assert message.key == key
    assert [button.action for button in message.buttons] == [Retry(job.id)]
    assert office.clock.slept == [RATE_LIMIT_PAUSE_S]
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
        "account.guest_tokens_used_up"
    ]


async def test_the_operator_is_warned_before_guest_tokens_run_out(office: Office, redis: Redis) -> None:
    projects = office.open(None)
    with structlog.testing.capture_logs() as logs:
        for number in range(1, GUEST_ACCOUNTS_PER_WEEK + 1):
            await projects.call(new_job(chat=ChatKey(number), requester_id=number), whole)
            assert await office.guest_accounts.used_this_week() == number
    warnings = [entry for entry in logs if entry["event"] == "account.guest_tokens_low"]
    assert [(entry["used"], entry["left"]) for entry in warnings] == [(7, 3), (9, 1)]
    assert {entry["log_level"] for entry in warnings} == {"warning"}
    assert 0 < await redis.ttl(keys.GUEST_TOKENS) <= keys.GUEST_TOKENS_TTL_S


async def test_a_person_gets_one_guest_account_a_week_and_no_other_after_being_erased(
    office: Office, redis: Redis
) -> None:
    projects, ann = office.open(None), new_job(chat=ChatKey(1), requester_id=1)
    await projects.call(ann, whole)
    for other in (ChatKey(-100500), ChatKey(1)):
        await redis.delete(keys.chat_key(str(other)))
        ann = replace(ann, id=new_job_id())
        with pytest.raises(PersonHasGuestAccount) as caught:
            await projects.call(replace(ann, chat=other), whole)
        message = (await ended_by(projects, replace(ann, chat=other), caught.value)).message
        assert isinstance(message, LocalizedMessage)
        assert message.key == f"error.guest_of_person{'' if other.is_private else '_group'}"
    assert await office.asked("anonymous-token") == 1
    await projects.call(replace(ann, chat=ChatKey(-100500), requester_id=2), whole)
    # A week later, by the store's own clock.
    found = [key async for key in redis.scan_iter(f"{keys.guest_account_key('')}*")]
    assert [0 < await redis.ttl(key) <= keys.GUEST_TOKENS_TTL_S for key in found] == [True, True]
    await redis.delete(*found)
    await projects.call(ann, whole)
    assert await office.asked("anonymous-token") == 3


async def test_a_guest_account_that_was_not_given_is_not_counted(office: Office) -> None:
    projects, job = office.open(None), new_job()
    await office.nemo.set(anonymous_per_address=0)
    with pytest.raises(NoGuestAccountsLeft):
        await projects.call(job, whole)
    await office.nemo.set(anonymous_per_address=10)
    other = replace(job, chat=ChatKey(4712))
    await office.nemo.fault("anonymous-token", drop=True)
    with pytest.raises(TransportError):
        await projects.call(other, whole)
    await projects.call(other, whole)  # Whether it was given is unknown: this chat may ask for it again.
    with pytest.raises(PersonHasGuestAccount):
        await projects.call(job, whole)


async def test_only_what_a_chat_has_claimed_is_given_back(office: Office) -> None:
    ours, other = uuid4(), uuid4()
    assert await office.guest_accounts.claim("ann", ours) == 0.0
    await office.guest_accounts.release("ann", other)
    assert await office.guest_accounts.claim("ann", other) > 0


async def test_guest_tokens_are_counted_for_a_week_each_once_by_all_workers(
    office: Office, redis: Redis
) -> None:
    others = GuestAccountCounter(redis, office.clock)
    await office.guest_accounts.record("nmv_usr_first")
    await others.record("nmv_usr_first")
    office.clock.at += 4 * DAY
    await others.record("nmv_usr_second")
    assert await office.guest_accounts.used_this_week() == 2
    office.clock.at += WEEK - 4 * DAY
    assert await office.guest_accounts.used_this_week() == 1
    await others.record("nmv_usr_third")
    assert await redis.zcard(keys.GUEST_TOKENS) == 2
    assert "nmv" not in str(await redis.zrange(keys.GUEST_TOKENS, 0, -1))


PERSON = ChatKey(4711)
REGISTER = f"{WEB}/register?bind=anon_1"


@pytest.mark.parametrize(
    ("error", "group"),
    [
        (NoCredits, "error.no_credits"),
        (ExportNotInPlan, "error.export_plan"),
        (PaymentRequired, "error.payment"),
    ],
)
@pytest.mark.parametrize(
    ("chat", "kind", "link"),
    [
        (Chat(key=PERSON, account=AccountKind.GUEST, user_id="anon_1"), "anonymous", REGISTER),
        (Chat(key=GROUP, account=AccountKind.GUEST, user_id="anon_1"), "group", ""),
        (Chat(key=PERSON, account=AccountKind.OWN), "own", f"{WEB}/dashboard/billing"),
        (Chat(key=PERSON, account=AccountKind.OPERATOR), "operator", ""),
    ],
)
async def test_what_an_account_lacks_is_told_with_the_way_on_for_its_kind(
    office: Office, error: type[ServiceError], group: str, chat: Chat, kind: str, link: str
) -> None:
    await office.chats.update(chat.key, ChatFields(account=chat.account, user_id=chat.user_id))
    ended = await ended_by(office.open(None), new_job(chat=chat.key), error(CALL))
    assert isinstance(ended.message, PrivateMessage)
    message = ended.message.message
    assert isinstance(message, LocalizedMessage)
    assert message.key == f"{group}_{kind}"
    assert "".join(button.url for button in message.buttons) == link


@pytest.mark.parametrize(
    ("account", "is_private"),
    [(AccountKind.OWN, True), (AccountKind.OPERATOR, True), (AccountKind.GUEST, False)],
)
async def test_a_refused_token_is_told_to_those_alone_whom_it_concerns(
    office: Office, account: AccountKind, is_private: bool
) -> None:
    await office.chats.update(GROUP, ChatFields(account=account))
    ended = await ended_by(office.open(None), new_job(chat=GROUP), AuthError(CALL))
    assert isinstance(ended.message, PrivateMessage) is is_private


@pytest.mark.parametrize(
    ("sizes", "key"),
    [
        ([10], "error.file_too_large_unknown"),
        ([10, 600 * 1024**2], "error.file_too_large"),
        ([None], "error.file_too_large"),
        ([], "error.file_too_large"),
    ],
)
async def test_a_refused_size_names_a_limit_only_if_the_file_is_over_it(
    office: Office, sizes: list[int | None], key: str
) -> None:
    files = tuple(Attachment(str(size), "video", f"{size}.mp4", size, "video/mp4") for size in sizes)
    ended = await ended_by(office.open(None), new_job(files=files), FileSizeRefused(CALL))
    assert isinstance(ended.message, LocalizedMessage)
    assert ended.message.key == key


async def test_a_browser_link_is_asked_for_once_and_again_before_it_ends(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    await projects.call(job, whole)
    first = await projects.browser_link(job)
    assert first is not None
    assert first.startswith(f"{WEB}/workspace/claim?ct=clm_")
    assert await projects.browser_link(job) == first
    assert await office.asked("claim-token") == 1

    office.clock.at += WEEK - LINK_MARGIN
    later = await projects.browser_link(job)
    assert later not in (None, first)


async def test_a_project_that_came_without_its_task_has_a_link(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    task = (await projects.call(job, whole)).task_id
    assert task is not None
    await office.chats.update(job.chat, ChatFields(task_id=None))
    assert await projects.browser_link(job) is not None
    assert (await office.chats.get(job.chat)).task_id == task


async def test_a_new_project_has_a_link_of_its_own(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    first = await projects.browser_link(job)
    await projects.leave(job.chat)
    second = await projects.browser_link(job)
    assert None not in (first, second)
    assert first != second


@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}, {"code": 1001}, {"body": "<html>"}])
async def test_a_link_that_can_not_be_had_is_none(office: Office, fault: dict[str, Any]) -> None:
    job, projects = new_job(), office.open(None)
    await projects.call(job, whole)
    await office.nemo.fault("claim-token", **fault)
    assert await projects.browser_link(job) is None
    chat = await office.chats.get(job.chat)
    page = await projects.project_link(job.chat)
    assert page is not None
    assert page.startswith(f"{WEB}/workspace/claim?task={chat.task_id}&session={chat.session_id}&skill_name=")
    assert "nmv_" not in page
    assert await projects.browser_link(job) is not None


async def test_a_link_that_takes_too_long_is_none(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = office.open(None)
    monkeypatch.setattr(projects.nemo, "create_claim_token", AsyncMock(side_effect=TimeoutError))
    assert await projects.browser_link(new_job()) is None


async def test_who_has_no_token_of_their_own_keeps_the_project_when_that_is_forgotten(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)
    await projects.accounts.clear_own_token(job.chat)
    assert (await projects.call(job, whole)).session_id == before.session_id


async def test_a_project_that_is_there_again_is_lost_no_more(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    project = await projects.call(job, whole)
    chat = await office.chats.get(job.chat)
    listed = ListedProject(
        session_id=project.session_id,
        task_id=project.task_id,
        account=chat.account,
        project_epoch=chat.project_epoch,
        used_at=office.clock.now(),
        is_lost=True,
    )
    await office.chats.project_list.save(job.chat, listed)
    assert await projects.go_back(job.chat, listed)
    assert [one.is_lost for one in await office.chats.project_list.all(job.chat)] == [False]


async def test_a_project_of_a_refused_operators_token_is_not_lost(office: Office, redis: Redis) -> None:
    job = new_job()
    account = await office.nemo.add_account(token=OPERATOR)
    projects = office.open(OPERATOR)
    operator = OperatorToken(redis, OPERATOR, falls_back_to_guests=True, alert=AsyncMock())
    projects.operator_token = projects.accounts._operator_token = operator
    project = await projects.call(job, whole)
    await office.chats.update(job.chat, ChatFields(answer_session_id=project.session_id))
    await office.nemo.change_account(account.user_id, expired=True)
    await projects.call(job, _after_credits(projects))
    listed = [(one.session_id, one.is_lost) for one in await office.chats.project_list.all(job.chat)]
    assert listed == [(project.session_id, False)]


async def test_a_client_id_that_two_jobs_find_refused_is_replaced_once(office: Office) -> None:
    key, refused = new_job().chat, uuid4()
    await office.chats.update(key, ChatFields(client_id=refused, user_id="of the old one"))
    first = await office.chats.replace_client_id(key, refused)
    assert await office.chats.replace_client_id(key, refused) == first != refused
    assert (await office.chats.get(key)).user_id is None


async def test_a_chat_without_a_project_has_no_page(office: Office) -> None:
    assert await office.open(None).project_link(new_job().chat) is None


async def test_a_token_is_checked_without_a_change_to_the_chat(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    own = await office.nemo.add_account(credits=5)
    assert (await projects.check_token(job, own.token)).available == 5
    with pytest.raises(AuthError):
        await projects.check_token(job, "nmv_usr_of_nobody")
    with pytest.raises(AuthError):
        await projects.check_token(job, "a line\nbreak and 中文")
    assert await office.chats.get(job.chat) == Chat(key=job.chat)


async def test_a_project_speaks_the_language_of_the_job(office: Office) -> None:
    projects = office.open(None)
    for language in ("en", "zh"):
        job = new_job(language=language)
        await projects.call(job, whole)
        await projects.leave(job.chat)
    assert [session.language for session in await office.nemo.sessions()] == ["en", "zh-CN"]


async def test_other_errors_are_told_with_a_way_to_try_again(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    errors: list[tuple[NemoError, str]] = [
        (RateLimited(CALL), "error.busy"),
        (AuthError(CALL), "error.nemo_down"),
        (TransportError(CALL, sent=True), "error.nemo_down"),
        (ServiceError(CALL, "odd", code=7), "error.refused"),
        (ServiceError(CALL, "the pool is overloaded", code=7), "error.busy"),
        (AccessRefused(CALL, status=403), "error.refused"),
        (AlreadyUploaded(CALL, "File already exists", status=409), "error.upload_failed"),
        (WarmingUp(CALL, status=503), "error.busy"),
        (ServiceError(CALL, status=500), "error.nemo_down"),
    ]
    for error, key in errors:
        message = (await ended_by(projects, job, error)).message
        assert isinstance(message, LocalizedMessage)
        assert message.key == key
        assert [button.action for button in message.buttons] == [Retry(job.id)]


async def test_a_guest_token_that_is_given_again_counts_from_its_first_day(office: Office) -> None:
    await office.guest_accounts.record("nmv_usr_first")
    office.clock.at += 6 * DAY
    await office.guest_accounts.record("nmv_usr_first")
    assert await office.guest_accounts.used_this_week() == 1
    office.clock.at += 2 * DAY
    assert await office.guest_accounts.used_this_week() == 0


async def test_a_project_is_named_and_speaks_as_its_first_request(office: Office) -> None:
    job = replace(
        new_job(), prompt="把这段视频剪到两秒，\n" + "再加标题" * 20, language="en", language_code="zh-hant"
    )
    projects = office.open(None)
    state = await projects.get_state(job)
    assert state.draft is not None
    title = state.draft.raw["m"]["title"]
    assert title.startswith("把这段视频剪到两秒， 再加标题")
    assert len(title) == 40
    assert [session.language for session in await office.nemo.sessions()] == ["zh-TW"]


async def test_a_refused_client_id_is_replaced_once_and_stays(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    refused = await office.chats.ensure_client_id(job.chat)
    await office.nemo.fault("anonymous-token", status=400, code=400, message="Missing X-Client-Id", times=1)
    await projects.call(job, whole)
    chat = await office.chats.get(job.chat)
    assert chat.client_id not in (None, refused)
    assert await office.asked("anonymous-token") == 2


async def test_a_client_id_that_is_refused_again_is_told(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    await office.nemo.fault("anonymous-token", status=400, code=400, message="Missing X-Client-Id", times=9)
    with pytest.raises(ClientIdMissing) as caught:
        await projects.call(job, whole)
    told = (await ended_by(projects, job, caught.value)).message
    assert isinstance(told, LocalizedMessage)
    assert told.key == "error.client_id_refused"
    assert await office.asked("anonymous-token") == 2


async def test_a_refused_operators_token_gives_way_to_a_guest_account_and_alerts(
    office: Office, redis: Redis
) -> None:
    job, alerts, losses = new_job(), list[str](), list[ProjectLoss]()
    account = await office.nemo.add_account(token=OPERATOR)
    projects = office.open(OPERATOR)

    async def alert() -> None:
        alerts.append("refused")

    operator = OperatorToken(redis, OPERATOR, falls_back_to_guests=True, alert=alert)
    projects.operator_token = projects.accounts._operator_token = operator

    async def note(loss: ProjectLoss) -> None:
        losses.append(loss)

    before = await projects.call(job, whole)
    await office.nemo.change_account(account.user_id, expired=True)
    project = await projects.call(job, _after_credits(projects), on_loss=note)
    assert project.account is AccountKind.GUEST
    assert project.session_id != before.session_id
    assert losses == [ProjectLoss(before.session_id, LossReason.OPERATOR_REFUSED)]
    assert alerts == ["refused"]
    other = await projects.call(replace(job, chat=ChatKey(4712), requester_id=6), whole)
    assert other.account is AccountKind.GUEST


def _after_credits(projects: Projects) -> Callable[[Project], Any]:
    async def ask(project: Project) -> Project:
        await projects.nemo.get_credits(project.credentials)
        return project

    return ask


async def test_the_registration_link_finds_the_accounts_id_where_the_token_came_without(
    office: Office,
) -> None:
    job, projects = new_job(), office.open(None)
    guest = await office.nemo.add_account(token="nmv_anon_bare")
    bare = '{"code": 0, "data": {"token": "nmv_anon_bare"}}'
    await office.nemo.fault("anonymous-token", status=200, body=bare)
    await projects.call(job, whole)
    chat = await office.chats.get(job.chat)
    assert chat.user_id == guest.user_id  # from the new project's answer
    assert (await projects.register_link(chat)).endswith(f"?bind={guest.user_id}")

    await office.chats.update(job.chat, ChatFields(user_id=None))
    body = '{"code": 0, "data": {"state": {"user_id": "anon_of_the_state"}}}'
    await office.nemo.fault("state", status=200, body=body)
    link = await projects.register_link(await office.chats.get(job.chat))
    assert link.endswith("?bind=anon_of_the_state")


async def test_a_registration_link_does_not_wait_for_the_accounts_id(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, projects = new_job(), office.open(None)
    await projects.call(job, whole)
    await office.chats.update(job.chat, ChatFields(user_id=None))
    monkeypatch.setattr("bot.projects.projects.LINK_PATIENCE_S", 0)
    assert await projects.register_link(await office.chats.get(job.chat)) == f"{WEB}/register"


async def test_a_project_that_is_lost_at_its_link_is_told(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    before = await projects.call(job, whole)
    await office.nemo.fault("claim-token", code=1002)
    losses: list[ProjectLoss] = []

    async def note(loss: ProjectLoss) -> None:
        losses.append(loss)

    assert await projects.browser_link(job, note) is None
    assert losses == [ProjectLoss(before.session_id)]


async def test_topics_that_begin_at_once_share_one_guest_account_and_have_projects_of_their_own(
    office: Office,
) -> None:
    projects, topics = office.open(None), [new_job(chat=ChatKey(7, number)) for number in (None, 2, 3)]
    opened = await asyncio.gather(*(projects.call(job, whole) for job in topics))
    assert await office.asked("anonymous-token") == 1
    assert len({project.session_id for project in opened}) == 3
    assert len({project.credentials.token for project in opened}) == 1


async def test_a_token_that_was_refused_in_two_topics_is_renewed_once(office: Office) -> None:
    projects, topics = office.open(None), [new_job(chat=ChatKey(7, number)) for number in (2, 3)]
    before = [await projects.call(job, whole) for job in topics]
    (guest,) = await office.nemo.accounts()
    await office.nemo.change_account(guest.user_id, expired=True)
    await asyncio.gather(*(credits_of(projects, job) for job in topics))
    assert await office.asked("anonymous-token") == 2
    after = [await projects.call(job, whole) for job in topics]
    assert [project.session_id for project in after] == [project.session_id for project in before]


async def test_a_token_that_is_refused_once_another_topic_has_a_new_one_is_not_renewed_again(
    office: Office,
) -> None:
    projects, cats, dogs = office.open(None), *(new_job(chat=ChatKey(7, number)) for number in (2, 3))
    await projects.call(cats, whole)
    (guest,) = await office.nemo.accounts()
    used: list[str] = []

    async def slow(project: Project) -> None:
        used.append(project.credentials.token)
        if len(used) == 1:
            await office.nemo.change_account(guest.user_id, expired=True)
            await credits_of(projects, cats)
            raise AuthError(CALL, "expired")

    await projects.call(dogs, slow)
    assert len(set(used)) == 2
    assert await office.asked("anonymous-token") == 2


async def test_a_guest_registers_for_no_account_of_the_operators(office: Office) -> None:
    job = new_job()
    await office.nemo.add_account(token=OPERATOR)
    await office.open(OPERATOR).call(job, whole)
    assert (await office.chats.get(job.chat)).user_id is None


async def test_who_begins_anew_is_asked_no_more_about_a_lost_project(office: Office) -> None:
    job, projects = new_job(), office.open(None)
    await office.chats.update(job.chat, ChatFields(session_id="now", lost_session_id="before"))
    await projects.leave(job.chat)
    chat = await office.chats.get(job.chat)
    assert (chat.session_id, chat.lost_session_id) == (None, None)


async def test_a_login_and_a_logout_in_one_topic_hold_for_all(office: Office) -> None:
    projects, cats, dogs = office.open(None), *(new_job(chat=ChatKey(7, number)) for number in (2, 3))
    own, other = await office.nemo.add_account(credits=22), await office.nemo.add_account(credits=33)
    before = await projects.call(dogs, whole)
    seen = {before.session_id}
    for token in (own.token, other.token, None):
        if token is None:
            await projects.accounts.clear_own_token(cats.chat)
        else:
            await projects.accounts.set_own_token(cats.chat, token)
        for job in (dogs, cats):
            project = await projects.call(job, whole)
            assert project.credentials.token == token or project.account is AccountKind.GUEST
            assert project.session_id not in seen
            seen.add(project.session_id)
            assert await projects.call(job, whole) == project
    assert len(seen) == 7


async def test_a_login_leaves_the_operators_projects_of_other_topics_alone(office: Office) -> None:
    projects, cats, dogs = office.open(OPERATOR), *(new_job(chat=ChatKey(7, number)) for number in (2, 3))
    await office.nemo.add_account(token=OPERATOR)
    own = await office.nemo.add_account()
    before = await projects.call(dogs, whole)
    await projects.accounts.set_own_token(cats.chat, own.token)
    await projects.accounts.clear_own_token(cats.chat)
    assert await projects.call(dogs, whole) == before


async def test_a_topic_whose_groups_account_was_erased_begins_a_new_project(
    office: Office, redis: Redis
) -> None:
    projects, topic = office.open(None), new_job(chat=ChatKey(-7, 2))
    before = await projects.call(topic, whole)
    await redis.delete(keys.chat_key("-7"))
    after = await projects.call(replace(topic, id=new_job_id(), requester_id=6), whole)
    assert after.session_id != before.session_id
    assert after.epoch != before.epoch
