import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from bot.jobs.buttons import Retry
from bot.jobs.checkpoints import FILES, LINKS, Uploaded, UploadStarted, UploadUsed, field_of
from bot.jobs.messages import Button, ListMessage, LocalizedMessage
from bot.jobs.model import Attachment, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.ports import FileGone, FileUnavailable, OpenFile
from bot.jobs.queue.album import GatheredJob
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.queue.usual_times import TimedStage
from bot.jobs.refusal_messages import continues_without
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.steps.upload import FILES_AT_ONCE, MAX_TRIES, FilesRefused, Upload, _without_replaced
from bot.jobs.worker.attempt import JobEnded
from bot.nemo.answers import AcceptedFile, ProjectState
from bot.nemo.drafts import digest
from bot.nemo.errors import AlreadyUploaded, Call, FileTypeRefused, ServiceError, SourceBroken
from bot.sandbox.samples import make_audio
from bot.store import keys
from tests.clocks import PATIENCE_S
from tests.jobs.steps.conftest import Rig, a_draft, a_file, a_part, again, queue_of


@pytest.fixture
def sound(rig: Rig) -> bytes:
    """A small file that NemoVideo takes."""
    return make_audio(rig.responder.result_path.with_name("tone.mp3"), 0.2).read_bytes()


def sounds(count: int) -> list[Attachment]:
    return [
        a_file(number, kind="audio", name=f"tone{number}.mp3", content_type="audio/mpeg")
        for number in range(1, count + 1)
    ]


async def test_files_go_up_once_and_their_facts_are_kept(rig: Rig, sound: bytes) -> None:
    files = sounds(2)
    rig.responder.files = {file.file_id: sound for file in files}
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    await Upload(rig.projects, rig.cards, rig.usual_times)(again(attempt))
    assert [upload.name for upload in await rig.nemo.uploads()] == ["tone1.mp3", "tone2.mp3"]
    uploaded = attempt.load(Uploaded, FILES)
    assert uploaded is not None
    assert uploaded.size_bytes == 2 * len(sound)
    assert [file and file.name for file in uploaded.sources.values()] == ["tone1.mp3", "tone2.mp3"]
    assert queue_of(attempt).closed_at == 1
    assert rig.responder.released == 2


async def test_after_the_last_byte_it_says_that_the_file_is_read(rig: Rig, sound: bytes) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    await rig.nemo.set(pace={"upload_s": 20})
    attempt = rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    reading = rig.responder.reported[-1]
    assert reading.stage == "progress.reading"
    assert reading.fraction < reading.until
    (took_s,) = await rig.usual_times.redis.lrange(keys.usual_times_key(TimedStage.UPLOAD_ANSWER), 0, -1)
    assert 20 <= float(took_s) < 3600


async def test_telegram_gets_a_file_ready_while_the_rest_of_its_album_is_still_to_come(
    rig: Rig, sound: bytes
) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    attempt = rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert rig.responder.opened == [f"expected {file.file_id}", file.file_id]


async def test_the_day_counts_the_bytes_of_all_requests_together(rig: Rig, sound: bytes) -> None:
    files = sounds(FILES_AT_ONCE + 1)
    rig.responder.files = {file.file_id: sound for file in files}
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert queue_of(attempt).upload_sizes == [FILES_AT_ONCE * len(sound), len(files) * len(sound)]
    uploaded = attempt.load(Uploaded, FILES)
    assert uploaded is not None
    assert uploaded.size_bytes == len(files) * len(sound)


async def test_a_file_that_joins_during_the_upload_is_counted_beside_the_first(
    rig: Rig, sound: bytes
) -> None:
    first, second = sounds(2)
    rig.responder.files = {first.file_id: sound, second.file_id: sound}
    job = rig.job(files=(first,))
    attempt = rig.attempt(job, parts=[a_part(first)])
    parts = (a_part(first), a_part(second, message_id=2))
    queue_of(attempt).joins = [GatheredJob(replace(job, files=(first, second)), parts, version=2)]
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert len(await rig.nemo.uploads()) == 2
    assert queue_of(attempt).upload_sizes == [len(sound), 2 * len(sound)]
    assert queue_of(attempt).closed_at == 2


async def test_a_file_that_is_replaced_while_it_is_opened_is_not_uploaded(
    rig: Rig, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sounds(2)
    rig.responder.files = {first.file_id: sound, second.file_id: sound}
    job = rig.job(files=(first,))
    attempt = rig.attempt(job, parts=[a_part(first)])
    edited = GatheredJob(replace(job, files=(second,)), (a_part(second),), version=2)

    async def replaced(*_: object) -> None:
        queue_of(attempt).gathered_job = edited

    monkeypatch.setattr(queue_of(attempt), "record_upload_size", replaced)
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert [upload.name for upload in await rig.nemo.uploads()] == ["tone2.mp3"]
    assert queue_of(attempt).closed_at == 2


@pytest.mark.parametrize("is_worked_in", [True, False])
async def test_an_attempt_that_died_after_its_files_arrived_uploads_nothing_again(
    rig: Rig, sound: bytes, monkeypatch: pytest.MonkeyPatch, *, is_worked_in: bool
) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    first = rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(first)
    started = UploadStarted(digest_before=digest(None), size_bytes=9, sources=(file.file_id,))
    attempt = rig.attempt(rig.job(files=(file,), message_id=None), (started, FILES), parts=[a_part(file)])
    attempt.job = replace(attempt.job, files=(replace(file, message_id=None),))
    queue_of(attempt).gathered_job = replace(queue_of(attempt).gathered_job, job=attempt.job)
    if not is_worked_in:  # Until the pause all looks find the project as it was.
        await rig.nemo.fault("state", times=-1, status=200, body='{"code": 0, "data": {"state": {}}}')

    async def pause(duration_s: float) -> None:
        await rig.nemo.clear_faults()

    monkeypatch.setattr(rig.clock, "sleep", pause)
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert len(await rig.nemo.uploads()) == 1
    uploaded = attempt.load(Uploaded, FILES)
    assert uploaded is not None
    assert list(uploaded.sources) == [file.file_id]


async def test_that_links_are_sent_is_saved_before_it_is_done(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = rig.attempt(rig.job(payload=EditPayload(links=("https://cdn.example.com/a.mp4",))))
    saved: list[UploadStarted | None] = []

    async def upload_urls(*_: object) -> tuple[AcceptedFile, ...]:
        saved.append(attempt.load(UploadStarted, LINKS))
        raise asyncio.CancelledError  # as if the process ended here

    monkeypatch.setattr(rig.projects.nemo, "upload_urls", upload_urls)
    with pytest.raises(asyncio.CancelledError):
        await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert saved
    assert None not in saved


async def test_a_request_that_uses_an_upload_from_the_browser_marks_it_as_used(rig: Rig) -> None:
    held = rig.job(id="a" * 16)
    attempt = rig.attempt(rig.job(id="b" * 16, payload=EditPayload(link_job_id=held.id)))
    queue_of(attempt).waiting = {held.id: JobStatus(held, JobState.DONE, 0)}
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert list(queue_of(attempt).saved_waiting) == [held.id]
    assert field_of(UploadUsed) in queue_of(attempt).saved_waiting[held.id]


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize(
    "fault", [{"status": 502}, {"status": 500}, {"status": 200, "body": "<html>welcome</html>"}], ids=str
)
async def test_an_upload_that_the_service_fails_at_is_tried_again_unless_it_arrived(
    rig: Rig, sound: bytes, fault: dict[str, Any], arrives: bool
) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    await rig.nemo.fault("upload", **{"body": "<html>oops</html>", **fault}, after_work=arrives)
    attempt = rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert attempt.load(Uploaded, FILES) is not None
    assert len(await rig.nemo.uploads()) == 1


async def test_an_upload_whose_file_breaks_off_is_begun_again(
    rig: Rig, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    upload_files = rig.projects.nemo.upload_files
    broken = AsyncMock(side_effect=SourceBroken(Call("POST", "/upload")))

    def upload(*request: Any) -> Any:
        return upload_files(*request) if broken.call_count == MAX_TRIES - 1 else broken(*request)

    monkeypatch.setattr(rig.projects.nemo, "upload_files", upload)
    attempt = rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert len(await rig.nemo.uploads()) == 1


async def test_files_are_opened_side_by_side_and_go_up_in_their_order(
    rig: Rig, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sounds(3)
    rig.responder.files = {file.file_id: sound for file in files}
    open_file, all_are_asked_for = rig.responder.open_file, asyncio.Barrier(3)

    @contextlib.asynccontextmanager
    async def open_together(file: Attachment) -> AsyncIterator[OpenFile]:
        await all_are_asked_for.wait()
        async with open_file(file) as opened:
            yield opened

    monkeypatch.setattr(rig.responder, "open_file", open_together)
    async with asyncio.timeout(PATIENCE_S):
        await Upload(rig.projects, rig.cards, rig.usual_times)(
            rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
        )
    assert [upload.name for upload in await rig.nemo.uploads()] == [file.name for file in files]


async def test_a_file_named_as_one_of_the_project_is_numbered_unless_the_prompt_names_it_already(
    rig: Rig, sound: bytes
) -> None:
    for message_id, is_result in ((1, False), (2, False), (3, True)):
        (file,) = sounds(1)
        file = replace(file, message_id=message_id, file_id=f"file {message_id}", is_result=is_result)
        rig.responder.files = {file.file_id: sound}
        attempt = rig.attempt(
            rig.job(id=f"{message_id:016}", files=(file,)), parts=[a_part(file, message_id=message_id)]
        )
        await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert [upload.name for upload in await rig.nemo.uploads()] == ["tone1.mp3", "tone1 (2).mp3", "tone1.mp3"]


async def test_an_unusable_file_among_others_is_left_out(rig: Rig, sound: bytes) -> None:
    files = sounds(2)
    rig.responder.files = {files[0].file_id: FileGone(), files[1].file_id: sound}
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert rig.responder.sent["unusable.0"] == LocalizedMessage("upload.left_out", {"n": 1})
    assert [upload.name for upload in await rig.nemo.uploads()] == ["tone2.mp3"]


async def test_an_empty_file_among_others_is_named_and_the_others_go_on(rig: Rig, sound: bytes) -> None:
    files = sounds(2)
    rig.responder.files = {files[0].file_id: sound, files[1].file_id: b""}
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    empty = LocalizedMessage("error.file_empty", {"name": "tone2.mp3"})
    assert rig.responder.sent["unusable.0"] == ListMessage(empty, (continues_without(2),))


async def test_the_last_unusable_file_ends_the_job(rig: Rig) -> None:
    files = sounds(2)
    rig.responder.files = {file.file_id: FileGone() for file in files}
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    with pytest.raises(JobEnded) as ended:
        await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert ended.value.message == LocalizedMessage("error.file_gone")
    assert await rig.nemo.uploads() == []


async def test_a_file_that_is_unavailable_can_be_tried_again_once_the_job_is_over(
    rig: Rig, sound: bytes
) -> None:
    files = sounds(2)
    rig.responder.files = {files[0].file_id: FileUnavailable(), files[1].file_id: sound}
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert rig.responder.sent["unusable.0"] == LocalizedMessage("upload.left_out", {"n": 1})
    attempt = rig.attempt(rig.job(files=(files[0],)), parts=[a_part(files[0])])
    with pytest.raises(JobEnded) as ended:
        await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    retry = Button("button.retry", Retry(attempt.job.id))
    assert ended.value.message == LocalizedMessage("error.file_unavailable", buttons=(retry,))


async def test_files_without_words_are_listed(rig: Rig, sound: bytes) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    await Upload(rig.projects, rig.cards, rig.usual_times)(
        rig.attempt(rig.job(prompt="", files=(file,)), parts=[a_part(file)])
    )
    message = rig.responder.sent["received"]
    assert isinstance(message, ListMessage)
    assert message.heading.key == "upload.received"


NONE_ACCEPTED = {"body": '{"code": 0, "data": {"files": []}}', "content_type": "application/json"}


async def test_files_of_which_none_was_accepted_are_not_there(rig: Rig, sound: bytes) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    await rig.nemo.fault("upload", **NONE_ACCEPTED)
    attempt = rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    with pytest.raises(ServiceError):
        await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert attempt.load(Uploaded, FILES) is None


NONE_NAMED = {"body": '{"code": 0, "data": {}}', "content_type": "application/json"}


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("is_link", [True, False])
async def test_files_that_an_answer_does_not_name_are_there_once_the_project_shows_them(
    rig: Rig, sound: bytes, *, arrives: bool, is_link: bool
) -> None:
    """Else the agent would be asked, and paid, for a clip that is not there."""
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    await rig.nemo.fault("upload", **NONE_NAMED, after_work=arrives)
    links = EditPayload(links=("https://samples.example.com/a.mp4",))
    job = rig.job(payload=links) if is_link else rig.job(files=(file,))
    attempt = rig.attempt(job, parts=[] if is_link else [a_part(file)])
    upload = Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    if arrives:
        await upload
    else:
        with pytest.raises(JobEnded) as ended:
            await upload
        assert isinstance(ended.value.message, LocalizedMessage)
        assert ended.value.message.key == "error.upload_failed"
    assert (attempt.load(Uploaded, LINKS if is_link else FILES) is not None) is arrives
    assert [request.endpoint for request in await rig.nemo.requests()].count("upload") == 1


async def test_a_link_may_be_fetched_minutes_after_the_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_state, began_s = rig.projects.get_state, rig.clock.monotonic_s()

    async def state_so_far(*request: Any) -> ProjectState:
        state = await get_state(*request)
        is_there = rig.clock.monotonic_s() - began_s > 200
        return replace(state, video_infos=[{"name": "a.mp4"}]) if is_there else state

    monkeypatch.setattr(rig.projects, "get_state", state_so_far)
    await rig.nemo.fault("upload", **NONE_NAMED)
    attempt = rig.attempt(rig.job(payload=EditPayload(links=("https://samples.example.com/a.mp4",))))
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert attempt.load(Uploaded, LINKS) is not None


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("is_said", [True, False])
async def test_a_file_that_the_service_has_already_is_there_if_the_project_names_it(
    rig: Rig, sound: bytes, *, is_there: bool, is_said: bool
) -> None:
    """Else the agent would be asked, and paid, for a clip that is not there."""
    others, again_sent = sounds(2), replace(sounds(3)[2], name="tone1.mp3")
    rig.responder.files = {file.file_id: sound for file in (*others, again_sent)}
    first = rig.attempt(rig.job(files=(others[0 if is_there else 1],)))
    await Upload(rig.projects, rig.cards, rig.usual_times)(first)
    said = {"status": 409, "body": '{"code": 409, "message": "File already exists"}'}
    await rig.nemo.fault("upload", **(said if is_said else NONE_NAMED))
    attempt = rig.attempt(rig.job(files=(again_sent,)))
    expected = AlreadyUploaded if is_said else JobEnded
    with contextlib.nullcontext() if is_there else pytest.raises(expected):
        await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert (attempt.load(Uploaded, FILES) is not None) is is_there


@pytest.mark.parametrize("fault", [{"status": 400, "message": "nothing there"}, NONE_ACCEPTED])
@pytest.mark.parametrize("has_clip", [True, False])
async def test_behind_a_link_that_cannot_be_fetched_a_project_with_a_clip_goes_on(
    rig: Rig, has_clip: bool, fault: dict[str, Any]
) -> None:
    await rig.open_project(a_draft(0) if has_clip else None)
    await rig.nemo.fault("upload", **fault)
    links = EditPayload(links=("https://cdn.example.com/a.mp4",))
    with pytest.raises(JobEnded) as ended:
        await Upload(rig.projects, rig.cards, rig.usual_times)(rig.attempt(rig.job(payload=links)))
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == "link.not_fetched"
    label = "button.run_on_current" if has_clip else "button.run_without_link"
    assert label in [button.label for button in ended.value.message.buttons]


async def test_an_answer_about_other_files_than_were_sent_counts_all_the_same(rig: Rig, sound: bytes) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    body = '{"code": 0, "data": {"files": [{"filename": "a"}, {"filename": "b"}]}}'
    await rig.nemo.fault("upload", status=200, body=body, content_type="application/json")
    attempt = rig.attempt(rig.job(files=(file,)))
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    uploaded = attempt.load(Uploaded, FILES)
    assert uploaded is not None
    assert [one and (one.name, one.kind) for one in uploaded.sources.values()] == [("tone1.mp3", "")]


async def test_a_file_that_is_not_among_the_accepted_ones_is_named(rig: Rig, sound: bytes) -> None:
    files = sounds(2)
    rig.responder.files = {file.file_id: sound for file in files}
    body = '{"code": 0, "data": {"files": [{"filename": "tone2.mp3", "file_type": "audio"}]}}'
    await rig.nemo.fault("upload", status=200, body=body, content_type="application/json")
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    refused = LocalizedMessage("upload.not_accepted", {"name": "tone1.mp3"})
    assert rig.responder.sent["unusable.0"] == ListMessage(refused, (continues_without(1),))
    uploaded = attempt.load(Uploaded, FILES)
    assert uploaded is not None
    assert {one and one.name: one and one.kind for one in uploaded.sources.values()} == {"tone2.mp3": "audio"}
    assert [request.endpoint for request in await rig.nemo.requests()].count("upload") == 1


async def test_the_others_are_uploaded_without_a_file_that_a_refusal_names(rig: Rig, sound: bytes) -> None:
    files = sounds(3)
    rig.responder.files = {file.file_id: sound for file in files}
    body = '{"code": 4001, "message": "tone2.mp3: unsupported"}'
    await rig.nemo.fault("upload", status=200, body=body, content_type="application/json", times=1)
    attempt = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    refused = LocalizedMessage("upload.not_accepted", {"name": "tone2.mp3"})
    assert rig.responder.sent["unusable.0"] == ListMessage(refused, (continues_without(2),))
    uploaded = attempt.load(Uploaded, FILES)
    assert uploaded is not None
    assert list(uploaded.sources) == [files[0].file_id, files[2].file_id]


@pytest.mark.parametrize(
    ("said", "number", "key"),
    [
        ("unsupported", 2, "error.unusable_one_of"),
        ("unsupported", 1, "error.unusable_audio"),
        ("tone1.mp3 and tone2.mp3 are unsupported", 2, "error.unusable_one_of"),
    ],
)
async def test_a_refused_kind_names_a_file_only_where_it_is_known(
    rig: Rig, sound: bytes, said: str, number: int, key: str
) -> None:
    files = sounds(number)
    rig.responder.files = {file.file_id: sound for file in files}
    body = json.dumps({"code": 4001, "message": said})
    await rig.nemo.fault("upload", status=200, body=body, content_type="application/json", times=-1)
    job = rig.job(files=tuple(files))
    with pytest.raises(FileTypeRefused) as caught:
        await Upload(rig.projects, rig.cards, rig.usual_times)(rig.attempt(job, parts=[a_part(*files)]))
    message = (await ended_by(rig.projects, job, caught.value)).message
    assert isinstance(message, LocalizedMessage)
    assert message.key == key


@pytest.mark.parametrize("died", ["before it was said", "after it was said"])
async def test_a_file_that_was_not_accepted_is_no_uploaded_one_for_an_attempt_that_comes_after(
    rig: Rig, sound: bytes, died: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sounds(2)
    rig.responder.files = {file.file_id: sound for file in files}
    upload_files = rig.projects.nemo.upload_files

    async def upload_one_of_them(*request: Any) -> tuple[AcceptedFile, ...]:
        return tuple(one for one in await upload_files(*request) if one.name != "tone1.mp3")

    monkeypatch.setattr(rig.projects.nemo, "upload_files", upload_one_of_them)
    first = rig.attempt(rig.job(files=tuple(files)), parts=[a_part(*files)])
    await Upload(rig.projects, rig.cards, rig.usual_times)(first)
    uploaded = first.load(Uploaded, FILES)
    queue, later = queue_of(first), again(first)
    if died == "before it was said":
        del queue.saved[FilesRefused.name]
        rig.responder.sent.clear()
        later = again(first)
    # A file that joins is no reason to count the other as uploaded, either.
    third = sounds(3)[2]
    rig.responder.files[third.file_id] = sound
    job = replace(first.job, files=(*files, third))
    queue.joins = [GatheredJob(job, (a_part(*files), a_part(third, message_id=2)), version=2)]
    await Upload(rig.projects, rig.cards, rig.usual_times)(later)
    refused = LocalizedMessage("upload.not_accepted", {"name": "tone1.mp3"})
    assert rig.responder.sent["unusable.0"] == ListMessage(refused, (continues_without(1),))
    now = later.load(Uploaded, FILES)
    assert uploaded is not None
    assert now is not None
    assert list(uploaded.sources) == [files[1].file_id]
    assert list(now.sources) == [files[1].file_id, third.file_id]
    assert later.load(FilesRefused) == FilesRefused(file_ids=(files[0].file_id,))


async def test_a_file_as_large_as_the_limit_is_taken(rig: Rig) -> None:
    (file,) = sounds(1)
    rig.projects.options = replace(rig.projects.options, size_limit=1000)
    rig.responder.files = {file.file_id: bytes(1000)}
    body = '{"code": 0, "data": {"files": [{"filename": "a"}, {"filename": "b"}]}}'
    await rig.nemo.fault("upload", status=200, body=body, content_type="application/json")
    attempt = rig.attempt(rig.job(files=(file,)))
    await Upload(rig.projects, rig.cards, rig.usual_times)(attempt)
    assert attempt.load(Uploaded, FILES) is not None


async def test_an_empty_list_of_uploads_is_none_however_it_is_written(rig: Rig, sound: bytes) -> None:
    (file,) = sounds(1)
    rig.responder.files = {file.file_id: sound}
    job = rig.job(files=(file,))
    await rig.open_project()
    body = '{"code": 0, "data": {"state": {"video_infos": {}}}}'
    await rig.nemo.fault("state", times=-1, status=200, body=body, content_type="application/json")
    # Else a file that never arrived would be taken for one that did.
    started = UploadStarted(digest_before=digest(None), sources=(file.file_id,))
    await Upload(rig.projects, rig.cards, rig.usual_times)(rig.attempt(job, (started, FILES)))
    assert [upload.name for upload in await rig.nemo.uploads()] == ["tone1.mp3"]


async def test_a_gateways_failure_says_nothing_of_what_is_behind_a_link(rig: Rig) -> None:
    await rig.open_project()
    await rig.nemo.fault("upload", status=502, body="<html>Bad gateway</html>")
    payload = EditPayload(links=("https://example.org/a.mp4",))
    with pytest.raises(JobEnded):  # The stand-in has nothing behind it.
        await Upload(rig.projects, rig.cards, rig.usual_times)(rig.attempt(rig.job(payload=payload)))
    assert [request.endpoint for request in await rig.nemo.requests()].count("upload") == 2


async def test_an_edit_takes_away_what_it_replaced_and_nothing_that_was_put_back(rig: Rig) -> None:
    kept, replaced, restored = (a_file(number) for number in (1, 2, 3))
    payload = EditPayload(supporting_file_ids=(restored.file_id,))
    job = rig.job(files=(kept, replaced, restored), payload=payload)
    attempt = rig.attempt(job, parts=[a_part(kept)])
    queue = queue_of(attempt)
    queue.gathered_job = replace(queue.gathered_job, job=replace(job, files=(kept,)))
    opened: dict[str, OpenFile] = {file.file_id: Mock() for file in job.files}
    assert list(await _without_replaced(attempt, opened)) == [kept.file_id, restored.file_id]
    assert attempt.job.files == (kept, restored)
