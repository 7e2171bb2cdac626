"""A project that NemoVideo no longer has is told wherever that shows."""

from bot.jobs.steps.show_credits import ShowCredits
from bot.jobs.steps.upload import Upload
from bot.sandbox.samples import make_audio
from tests.jobs.steps.conftest import Rig, a_draft, a_file, a_part


async def test_lost_while_the_credits_are_asked_for(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.fault("credits", code=1002)
    await ShowCredits(rig.projects)(rig.attempt())
    assert rig.responder.keys == ["lost.no_files"]
    assert list(rig.responder.sent) == ["project_lost", "credits"]


async def test_lost_during_an_upload(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    tone = make_audio(rig.responder.result_path.with_name("tone.mp3"), 0.2).read_bytes()
    file = a_file(1, kind="audio", name="tone.mp3", content_type="audio/mpeg")
    rig.responder.files = {file.file_id: tone}
    await rig.nemo.fault("upload", code=1002)
    await Upload(rig.projects, rig.cards, rig.usual_times)(
        rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    )
    assert rig.responder.keys == ["lost.no_files"]
    assert [upload.name for upload in await rig.nemo.uploads()] == ["tone.mp3"]
