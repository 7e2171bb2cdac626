import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.chats.chats import (
    MAX_RESULTS,
    MAX_UPLOADS,
    STORED_NAMES,
    AccountKind,
    CachedResult,
    Chat,
    ChatFields,
    Chats,
)
from bot.chats.key import ChatKey
from bot.chats.project_file import ProjectFile
from bot.chats.project_list import ListedProject
from bot.chats.templates import Template
from bot.chats.token_cipher import TokenCipher, TokenCipherError
from bot.chats.versions import ResultKind, Version
from bot.settings import DEFAULT_CHAT_TTL_DAYS
from bot.store.keys import chat_key, projects_key, results_key, uploads_key

KEY = ChatKey(-100123, 45)
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
DAY_S = 86_400


@pytest.fixture
def token_cipher() -> TokenCipher:
    return TokenCipher([Fernet.generate_key().decode()])


@pytest.fixture
def chats(redis: Redis, token_cipher: TokenCipher) -> Chats:
    return Chats(redis, token_cipher)


def result(draft_digest: str, file_id: str, kind: ResultKind, *, as_file: bool = False) -> CachedResult:
    return CachedResult(draft_digest=draft_digest, file_id=file_id, kind=kind, as_file=as_file)


def project_file(message_id: int, session_id: str, name: str) -> ProjectFile:
    return ProjectFile(telegram_chat_id=KEY.chat_id, message_id=message_id, session_id=session_id, name=name)


async def test_an_unknown_chat_has_the_defaults_and_is_not_created(chats: Chats, redis: Redis) -> None:
    assert await chats.get(KEY) == Chat(key=KEY)
    assert (await chats.get(KEY)).auto_export
    assert await redis.dbsize() == 0


async def test_every_field_is_read_back(chats: Chats) -> None:
    client_id = await chats.ensure_client_id(KEY)
    later = NOW + timedelta(days=7)
    fields = ChatFields(
        client_id=client_id,
        own_token="nmv_usr_2",
        token="nmv_usr_1",
        user_id="anon_1",
        token_expires_at=later.astimezone(timezone(timedelta(hours=8))),
        account=AccountKind.GUEST,
        session_id="s1",
        task_id="t1",
        claim_token="clm_1",
        claim_session_id="s1",
        claim_expires_at=later,
        skill="card",
        language="zh",
        auto_export=False,
        send_as_file=True,
        replace_results=True,
        result_chat_id=-1_000_000_000_123,
        result_message_id=7,
        result_session_id="s1",
        result_in_use=True,
        export_refused_at=NOW,
        lost_session_id="s0",
        answer_job_id="0123456789abcdef",
        answer_session_id="s1",
        shrink_results=False,
        members_may_change=True,
        saved_prompt="add music",
        saved_prompt_until=later,
        takes_name=True,
        caption_job_id="0123456789abcdef",
        greeted=True,
        account_epoch="e1",
        project_epoch="e1",
        last_only_job_id="0123456789abcdef",
    )
    assert fields.model_fields_set == set(ChatFields.model_fields)
    await chats.update(KEY, fields)
    chat = await chats.get(KEY)
    assert chat == Chat(key=KEY, **fields.model_dump())
    assert chat.token_expires_at is not None
    assert chat.token_expires_at.tzinfo is UTC


async def test_an_update_changes_only_what_it_names_and_none_takes_back(chats: Chats) -> None:
    await chats.update(KEY, ChatFields(session_id="s1", task_id="t1", auto_export=False))
    await chats.update(KEY, ChatFields(session_id="s2", task_id=None))
    assert await chats.get(KEY) == Chat(key=KEY, session_id="s2", auto_export=False)
    await chats.update(KEY, ChatFields(auto_export=True))
    assert (await chats.get(KEY)).auto_export


async def test_workers_that_update_different_fields_at_once_keep_both(chats: Chats) -> None:
    await asyncio.gather(
        *(chats.update(KEY, ChatFields(session_id="s")) for _ in range(10)),
        chats.update(KEY, ChatFields(skill="x")),
    )
    assert await chats.get(KEY) == Chat(key=KEY, session_id="s", skill="x")


async def test_topics_of_one_chat_have_projects_of_their_own_and_share_the_rest(chats: Chats) -> None:
    general, two, three = ChatKey(-1), ChatKey(-1, 2), ChatKey(-1, 3)
    project = ChatFields(session_id="two", skill="poet")
    shared = ChatFields(
        token="t", client_id=await chats.ensure_client_id(three), language="zh", auto_export=False
    )
    await chats.update(two, project, shared)
    await chats.update(general, ChatFields(session_id="one"))
    common = shared.model_dump(exclude_unset=True)
    assert await chats.get(two) == Chat(key=two, session_id="two", skill="poet", **common)
    assert await chats.get(three) == Chat(key=three, **common)
    assert await chats.get(general) == Chat(key=general, session_id="one", **common)
    await chats.update(three, ChatFields(token=None))
    assert {(await chats.get(key)).token for key in (general, two, three)} == {None}


async def test_all_who_ask_at_once_get_the_same_client_id(chats: Chats) -> None:
    ids = await asyncio.gather(*(chats.ensure_client_id(KEY) for _ in range(20)))
    assert len(set(ids)) == 1
    assert (await chats.get(KEY)).client_id == ids[0]


async def test_a_million_chats_fit_into_400_bytes_each(chats: Chats, redis: Redis) -> None:
    assert len(set(STORED_NAMES.values())) == len(STORED_NAMES)
    assert max(map(len, STORED_NAMES.values())) <= 2
    sizes = []
    for number in range(10):  # Random tokens: one chat in forty takes the store's next larger block.
        key = ChatKey(KEY.chat_id + number).of_account
        saved = ChatFields(
            client_id=uuid4(),
            account=AccountKind.GUEST,
            token=f"nmv_anon_{uuid4().hex}",
            token_expires_at=NOW,
            user_id="anon_0123456789abcdef",
            session_id=str(uuid4()),
            task_id=str(uuid4()),
            account_epoch="01234567",
            project_epoch="01234567",
            language="zh",
            greeted=True,
        )
        await chats.update(key, saved)
        assert await chats.get(key) == Chat(key=key, **dict(saved))
        sizes.append(await redis.memory_usage(chat_key(str(key)), samples=0) or 0)
    assert min(sizes) > 0
    assert sum(sizes) / len(sizes) < 350  # with what the store needs beside: 400


@pytest.mark.parametrize("text", ["~", "~~", "~" + "a" * 22, "b3d7c1a0-0000-4000-8000-000000000001"])
async def test_any_text_is_read_back_as_it_was(chats: Chats, text: str) -> None:
    await chats.update(KEY, ChatFields(saved_prompt=text))
    assert (await chats.get(KEY)).saved_prompt == text


async def test_a_chats_client_id_is_a_uuid_of_its_own(chats: Chats) -> None:
    one, other = await chats.ensure_client_id(KEY), await chats.ensure_client_id(ChatKey(KEY.chat_id + 1))
    assert one != other
    assert (one.version, other.version) == (4, 4)


@pytest.mark.parametrize("name", ["own_token", "token", "claim_token"])
async def test_a_token_is_neither_kept_nor_shown_in_the_clear(chats: Chats, redis: Redis, name: str) -> None:
    await chats.update(KEY, ChatFields.model_validate({name: "nmv_usr_secret"}))
    kept = str([await redis.hgetall(chat_key(str(key))) for key in (KEY, KEY.of_account)])
    assert f"'{STORED_NAMES[name]}'" in kept
    assert "nmv_usr_secret" not in kept
    assert "nmv_usr_secret" not in repr(await chats.get(KEY))


def test_a_secret_is_encrypted_for_a_job(chats: Chats) -> None:
    encrypted = chats.encrypt(KEY, "login", "nmv_usr_secret")
    assert "nmv_usr_secret" not in encrypted
    assert chats.decrypt(KEY, "login", encrypted) == "nmv_usr_secret"
    for key, use in ((ChatKey(KEY.chat_id + 1), "login"), (KEY, "private_message")):
        with pytest.raises(TokenCipherError):
            chats.decrypt(key, use, encrypted)


@pytest.mark.parametrize("name", ["own_token", "token", "claim_token"])
async def test_a_token_copied_to_another_chat_or_field_counts_as_none(
    chats: Chats, redis: Redis, name: str
) -> None:
    await chats.update(KEY, ChatFields.model_validate({name: "nmv_usr_secret"}))
    copied = str(await redis.hget(chat_key(str(KEY)), STORED_NAMES[name]))
    thief = ChatKey(KEY.chat_id + 1)
    await redis.hset(chat_key(str(thief)), STORED_NAMES[name], copied)
    other = "token" if name == "own_token" else "own_token"
    await redis.hset(chat_key(str(KEY)), STORED_NAMES[other], copied)
    assert await chats.get(thief) == Chat(key=thief)
    assert getattr(await chats.get(KEY), name) == "nmv_usr_secret"
    assert getattr(await chats.get(KEY), other) is None


@pytest.mark.parametrize(
    ("asked", "refused", "by_itself"),
    [
        (True, None, True),
        (True, timedelta(hours=23), False),
        (True, timedelta(days=1), True),
        (False, None, False),
        (False, timedelta(hours=1), False),
    ],
)
def test_an_export_comes_by_itself_when_it_is_wanted_and_in_the_plan(
    asked: bool, refused: timedelta | None, by_itself: bool
) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    chat = Chat(key=KEY, auto_export=asked, export_refused_at=now - refused if refused else None)
    assert chat.exports_by_itself(now) is by_itself


async def test_a_token_whose_key_is_gone_counts_as_none(chats: Chats, redis: Redis) -> None:
    client_id = await chats.ensure_client_id(KEY)
    await chats.update(KEY, ChatFields(own_token="o", token="t", token_expires_at=NOW, session_id="s"))
    other = Chats(redis, TokenCipher([Fernet.generate_key().decode()]))
    assert await other.get(KEY) == Chat(key=KEY, client_id=client_id, session_id="s", token_expires_at=NOW)


async def test_what_a_later_release_wrote_is_passed_over(chats: Chats, redis: Redis) -> None:
    await chats.update(KEY, ChatFields(session_id="s"))
    await redis.hset(chat_key(str(KEY)), mapping={"mood": "bright", "a": "shared", "x": "noon"})
    assert await chats.get(KEY) == Chat(key=KEY, session_id="s")


async def test_whatever_a_person_makes_has_an_end(redis: Redis, token_cipher: TokenCipher) -> None:
    chats, now = Chats(redis, token_cipher), datetime.now(UTC)
    await chats.project_list.save(KEY, ListedProject(session_id="s", used_at=now))
    await chats.versions.add(KEY, "mark", Version(made_at=now, draft_digest="d"))
    await chats.versions.save_video(KEY, "mark", "d", "file", "video", "picture")
    await chats.templates.save(KEY, Template(name="Reel", prompt="make it short", saved_at=now))
    await chats.brands.set_ratio(KEY, "9:16")
    await chats.channels.save(KEY.chat_id, -100, "News")
    await chats.inline_requests.save(KEY.chat_id, "make it short")
    names = [name async for name in redis.scan_iter()]
    assert len(names) == 6
    assert [name for name in names if await redis.ttl(name) <= 0] == []


async def test_every_write_extends_the_ttl_of_all_that_is_kept_of_a_chat(
    redis: Redis, token_cipher: TokenCipher
) -> None:
    chats = Chats(redis, token_cipher, ttl_days=2)
    names = chat_key(str(KEY)), chat_key(str(KEY.of_account)), results_key(str(KEY))
    await chats.ensure_client_id(KEY)
    await chats.update(KEY, ChatFields(session_id="s"))
    await chats.save_result(KEY, result("d", "f", "video"))
    for write in (
        chats.extend_ttl(KEY),
        chats.update(KEY, ChatFields(skill="x")),
        chats.update(KEY, ChatFields(skill=None)),
        chats.ensure_client_id(KEY),
        chats.save_result(KEY, result("d", "f", "video")),
        chats.save_latest_result(Chat(key=KEY), KEY.chat_id, 7),
    ):
        for name in names:
            await redis.expire(name, 10)
        await write
        for name in names:
            assert 2 * DAY_S - 10 < await redis.ttl(name) <= 2 * DAY_S


async def test_the_latest_result_of_a_draft_is_found(chats: Chats) -> None:
    assert await chats.find_result(KEY, "d1") is None
    await chats.save_result(KEY, result("d1", "f1", "video"))
    await chats.save_result(KEY, result("d2", "f2", "document"))
    await chats.save_result(KEY, result("d1", "f3", "video"))
    assert await chats.find_result(KEY, "d1") == result("d1", "f3", "video")
    assert await chats.find_result(KEY, "d2") == result("d2", "f2", "document")
    assert await chats.find_result(ChatKey(-100123), "d1") is None


async def test_only_so_many_results_are_kept(chats: Chats) -> None:
    for number in range(MAX_RESULTS + 1):
        await chats.save_result(KEY, result(f"d{number}", "f", "video"))
    assert await chats.find_result(KEY, "d0") is None
    assert await chats.find_result(KEY, "d1") is not None


async def test_a_result_is_found_again_for_what_it_was_to_be(chats: Chats) -> None:
    await chats.save_result(KEY, result("d", "f1", "video"))
    assert await chats.find_result(KEY, "d", as_file=True) is None
    await chats.save_result(KEY, result("d", "f2", "document", as_file=True))
    assert (await chats.find_result(KEY, "d", as_file=True)) == result("d", "f2", "document", as_file=True)
    assert (await chats.find_result(KEY, "d")) == result("d", "f1", "video")


async def test_what_could_only_be_a_file_does_for_both(chats: Chats) -> None:
    await chats.save_result(KEY, result("d", "f", "document"))
    for as_file in (False, True):
        found = await chats.find_result(KEY, "d", as_file=as_file)
        assert found is not None
        assert found.file_id == "f"


async def test_the_latest_result_is_known_until_another_replaces_it(chats: Chats, redis: Redis) -> None:
    before = Chat(key=KEY, session_id="s1")
    await chats.save_latest_result(before, KEY.chat_id, 7)
    chat = await chats.get(KEY)
    assert chat.is_latest_result(-100123, 7)
    assert not chat.is_latest_result(-1_000_000_000_123, 7)
    assert (chat.result_session_id, chat.result_in_use) == ("s1", False)
    for chat_id, message_id in ((KEY.chat_id, 6), (-1_000_000_000_123, 7)):
        await chats.mark_result_in_use(KEY, chat_id, message_id)
        assert not (await chats.get(KEY)).result_in_use
    await chats.mark_result_in_use(KEY, KEY.chat_id, 7)
    assert (await chats.get(KEY)).result_in_use

    # A worker that was taken for dead comes too late.
    await chats.save_latest_result(before, KEY.chat_id, 5)
    assert (await chats.get(KEY)).is_latest_result(-100123, 7)

    await chats.save_latest_result(chat, KEY.chat_id, 9)
    chat = await chats.get(KEY)
    assert chat.is_latest_result(-100123, 9)
    assert not chat.result_in_use
    assert 0 < await redis.ttl(chat_key(str(KEY))) <= 90 * DAY_S


async def test_a_reply_in_a_chat_without_results_creates_nothing(chats: Chats, redis: Redis) -> None:
    await chats.mark_result_in_use(KEY, KEY.chat_id, 7)
    assert await redis.dbsize() == 0


async def test_the_latest_file_that_a_message_brought_is_found(chats: Chats, redis: Redis) -> None:
    assert await chats.find_project_file(KEY, KEY.chat_id, 7) is None
    await chats.save_project_file(KEY, project_file(7, "s1", "clip.mp4"))
    await chats.save_project_file(KEY, project_file(8, "s1", "other.mp4"))
    await chats.save_project_file(KEY, project_file(7, "s2", "clip.mp4"))
    assert await chats.find_project_file(KEY, KEY.chat_id, 7) == project_file(7, "s2", "clip.mp4")
    assert await chats.find_project_file(KEY, KEY.chat_id, 9) is None
    assert (
        await chats.find_project_file(KEY, -1_000_000_000_123, 7) is None
    )  # Another message, of after a move.
    assert 0 < await redis.ttl(uploads_key(str(KEY))) <= DEFAULT_CHAT_TTL_DAYS * DAY_S
    for number in range(MAX_UPLOADS):
        await chats.save_project_file(KEY, project_file(100 + number, "s2", "x.mp4"))
    assert await chats.find_project_file(KEY, KEY.chat_id, 8) is None


async def test_the_topics_of_a_chat_share_its_token(chats: Chats) -> None:
    topic, other = ChatKey(-100, 5), ChatKey(-100, 6)
    await chats.update(topic, ChatFields(own_token="nmv_usr_secret", claim_token="clm_secret"))
    assert (await chats.get(topic)).claim_token == "clm_secret"
    assert (await chats.get(other)).own_token == "nmv_usr_secret"


async def test_files_that_are_put_back_keep_the_order_in_which_they_came(chats: Chats) -> None:
    for number in range(4):
        file = ProjectFile(
            telegram_chat_id=KEY.chat_id,
            message_id=number,
            session_id="session",
            name=f"{number}.mp4",
            file_id=f"file-{number}",
        )
        await chats.save_project_file(KEY, file)
    kept = await chats.project_files(KEY, "session", 3)
    assert [file.name for file in kept] == ["1.mp4", "2.mp4", "3.mp4"]


async def test_a_topics_secret_is_opened_in_no_other_topic(chats: Chats) -> None:
    encrypted = chats.encrypt(KEY, "message of job 1", "for Ann alone")
    assert chats.decrypt(KEY, "message of job 1", encrypted) == "for Ann alone"
    for key, use in ((ChatKey(KEY.chat_id, 46), "message of job 1"), (KEY, "message of job 2")):
        with pytest.raises(TokenCipherError):
            chats.decrypt(key, use, encrypted)


async def test_the_list_of_projects_lives_as_long_as_its_chat(chats: Chats, redis: Redis) -> None:
    await chats.project_list.save(KEY, ListedProject(session_id="s", used_at=NOW))
    await redis.expire(projects_key(str(KEY.of_projects)), 60)
    await chats.extend_ttl(KEY)
    assert await redis.ttl(projects_key(str(KEY.of_projects))) > 60


async def test_a_lock_that_is_erased_with_its_chat_fails_nobody(chats: Chats, redis: Redis) -> None:
    async with chats.account_lock(KEY):
        await redis.flushdb()


async def test_only_what_telegram_has_can_be_uploaded_again(chats: Chats) -> None:
    link, file = (
        project_file(number, "s", "a.mp4").changed(file_id=file_id) for number, file_id in ((1, ""), (2, "f"))
    )
    for one in (link, file):
        await chats.save_project_file(KEY, one)
    assert await chats.project_files(KEY, "s", 5) == [file]
