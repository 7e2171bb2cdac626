"""Fields of a job's hash in Redis. The scripts in ``lua/`` use the same names literally."""

from enum import StrEnum


class JobField(StrEnum):
    """What a job's hash holds. Flags are set to 1, and absent otherwise."""

    REQUEST = "request"  # the Job; see packed_request.py
    LANGUAGE = "language"  # the Job's, for when this release can't read that; absent if it is the default
    IS_EDIT = "is_edit"  # flag: its kind is `EDIT`
    IS_ANSWER = "is_answer"  # flag: its words answer the agent's open question
    HOLDS_REQUEST = "holds_request"  # flag: it is quick, and yet a request that a person sent is only in it
    STATE = "state"  # a JobState
    ATTEMPT = "attempt"  # how many times it was started; absent before the first
    UNCOUNTED_ATTEMPTS = "uncounted_attempts"  # how many of those don't count against it; absent without any
    CANCEL_REQUESTED = "cancel_requested"  # flag: it is to stop, as the chat asked
    TAKEN_BACK = (
        "taken_back"  # flag: that nobody asked for: all of its parts went to another job, or were refused
    )
    POSITION_MESSAGE_CLAIMED = (
        "position_message_claimed"  # flag: a process sends, or sent, the message with its position
    )
    CHARGE = "charge"  # what it costs so far, as JSON; see lua/quotas.lua
    CREDITS = "credits"  # credits reserved for its message to the agent, as JSON; see lua/credits.lua
    QUESTION = "question"  # number of the agent's question that is open; absent without one
    TICKED = "ticked"  # the options of that question that are ticked, with spaces between
    GIVEN_UP = "given_up"  # flag: it is on the list of jobs that were given up

    # A request that arrives in parts; see album.py
    VERSION = "version"  # counts the changes of its parts and texts
    REFUSED = "refused"  # flag: it says why a message without a request can't be used
    CLOSED = "closed"  # flag: no more parts join it
    PART_COUNT = "part_count"  # how many parts joined it
    LAST_PART_AT = "last_part_at"  # when the last part arrived, seconds of our clock
    LAST_SENT_AT = "last_sent_at"  # when that was sent, seconds of Telegram's clock
    HAS_PROMPT = "has_prompt"  # flag: a part has a text of the person's own
    HAS_FILE = "has_file"  # flag: a part has a file
    IS_FULL = "is_full"  # 1 if the text of the last part fills its message, so that the next may go on with it; else 0
    IS_LATE = "is_late"  # flag: its album belongs to a request that was begun before
    WAS_ASKED = "was_asked"  # flag: that request had a prompt already

    # Prefixes
    CHECKPOINT = "checkpoint:"  # + name: a checkpoint as JSON
    PART = "part:"  # + message id: a RequestPart as JSON
    TEXT = "text:"  # + message id: the part's PartText as JSON
    OFFERED = "offered:"  # + message id: a part's file and PartText edited too late, offered as a new request
