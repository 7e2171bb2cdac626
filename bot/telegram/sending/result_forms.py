"""In which form a result is sent, such as a smaller video or a link, and which comes next after a refusal.

``delivery.py`` decides which forms a result can have. One that is far too large is never fetched (``fetch`` in
``jobs/steps/export.py``), so that only a link is left.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from bot.telegram.sending.send_refusals import SendRefusal


class ResultForm(StrEnum):
    """The forms in which a result is sent, the best first."""

    VIDEO = "video"  # to be played in the chat
    FILE = "file"  # the same bytes, into which Telegram does not look
    SMALLER = "smaller"  # a version encoded again to fit
    LINK = "link"  # where it can be downloaded
    PRIVATE = "private"  # in the private chat of the person who asked in a group
    KEPT = "kept"  # only the news that it is kept in the project, with a button that costs nothing


_NEXT_FORMS: Mapping[SendRefusal, tuple[ResultForm, ...]] = {
    SendRefusal.TOO_LARGE: (ResultForm.SMALLER, ResultForm.LINK, ResultForm.KEPT),
    SendRefusal.KIND: (ResultForm.FILE, ResultForm.LINK, ResultForm.PRIVATE, ResultForm.KEPT),
    # The group refuses it outside its topic too, but another method may still work.
    SendRefusal.THREAD: (ResultForm.FILE, ResultForm.PRIVATE, ResultForm.LINK, ResultForm.KEPT),
    SendRefusal.CHAT: (ResultForm.PRIVATE, ResultForm.LINK, ResultForm.KEPT),
    SendRefusal.UNANSWERED: (ResultForm.LINK, ResultForm.SMALLER, ResultForm.PRIVATE, ResultForm.KEPT),
    SendRefusal.OTHER: (ResultForm.FILE, ResultForm.LINK, ResultForm.PRIVATE, ResultForm.KEPT),
}
"""The forms that may help against a refusal, the best first. Any other refusal left no form of the message: ``OTHER``.

Only a form that comes later in ``ResultForm`` than the refused one is taken: an earlier one has had its turn, or can't
be had. So one that stands behind a later form, such as ``LINK`` behind ``PRIVATE``, is for results without that.
"""

_RANKS = {form: rank for rank, form in enumerate(ResultForm)}


def next_form(
    refused: ResultForm, refusal: SendRefusal, possible: Collection[ResultForm]
) -> ResultForm | None:
    """Return the form in which a refused result is sent next; ``None`` if none is left.

    Args:
        refused: The form that was refused.
        refusal: Why it was.
        possible: The forms that there are of this result.
    """
    forms = _NEXT_FORMS.get(refusal, _NEXT_FORMS[SendRefusal.OTHER])
    later = (form for form in forms if _RANKS[form] > _RANKS[refused] and form in possible)
    return next(later, None)
