"""Every key in the store: its name and its lifetime.

A chat's keys have the chat in braces, so that they share a slot of a cluster and one script or transaction can use
them together. ``chat`` is always ``str(ChatKey)``, such as ``-100123:45``.
"""

NAMESPACE = "nemo:"

# Of the store itself --------------------------------------------------------------------------------------

SCHEMA = f"{NAMESPACE}schema"  # for ever: the version of everything below
CIPHER_MARKER = f"{NAMESPACE}cipher:marker"  # for ever: a text that only the right encryption key decrypts

# Of a chat ------------------------------------------------------------------------------------------------

CHAT = f"{NAMESPACE}chat:"  # CHAT_TTL_DAYS after its last write: what is known of a chat, a hash
RESULTS = f"{NAMESPACE}results:"  # as its chat: the latest videos delivered there, a list

UPLOADS = f"{NAMESPACE}uploads:"  # CHAT_TTL_DAYS after the last one: files that were brought into its projects, a list


MOVED_TO = (
    f"{NAMESPACE}moved_to"  # for ever: where groups are that became supergroups, a hash by the id they had
)
MOVED_FROM = f"{NAMESPACE}moved_from"  # for ever: the same the other way round
ADMINS = f"{NAMESPACE}admins:"  # ADMINS_TTL_S: who may speak for a group, ids with spaces between

ADMINS_TTL_S = 60  # who is no admin any more passes for one no longer than this


def admins_key(chat: str) -> str:
    """Who may speak for a group; that goes for all of its topics."""
    return f"{ADMINS}{{{chat}}}"


def chat_key(chat: str) -> str:
    """What is known of a chat."""
    return f"{CHAT}{{{chat}}}"


def results_key(chat: str) -> str:
    """The latest videos delivered to a chat."""
    return f"{RESULTS}{{{chat}}}"


def uploads_key(chat: str) -> str:
    """The latest files that were brought into a chat's projects."""
    return f"{UPLOADS}{{{chat}}}"


# Of jobs --------------------------------------------------------------------------------------------------

UPDATE = f"{NAMESPACE}update:"  # UPDATE_TTL_S: this update was received, drop its repetitions
JOB = f"{NAMESPACE}job:"  # until it ends and JOB_TTL_S more, for buttons that refer to it: a hash
LANE = f"{NAMESPACE}lane:"  # while jobs wait in it: a list of job ids
SLOT = f"{NAMESPACE}slot:"  # while a job runs, or waits to be taken up again: a hash of job and ticket
LANES = f"{NAMESPACE}lanes"  # for ever, its members an hour after last use: lanes that the sweep looks at
ALBUM = f"{NAMESPACE}album:"  # ALBUM_TTL_S after its last part: an album's parts as far as seen, and its job, a hash
SENDER = f"{NAMESPACE}sender:"  # SENDER_TTL_S: the job that somebody's newest message belongs to
ASKED = f"{NAMESPACE}asked:"  # JOB_TTL_S: the job that a message belongs to
QUEUE = f"{NAMESPACE}queue"  # while any wait: the keys of jobs in all edit lanes, by when they came
RUNNING = f"{NAMESPACE}running"  # while any run: the keys of jobs that have begun, by when they did
SAVED = f"{NAMESPACE}saved"  # while any run: the same, by when they saved something last
GIVEN_UP = f"{NAMESPACE}given_up"  # GIVEN_UP_TTL_S after the last one: jobs that were given up, a list
CANCEL_CHANNEL = f"{NAMESPACE}cancel"  # not a key: the channel on which ids of cancelled jobs are told
DOCKET = f"{NAMESPACE}docket"  # docket's own keys begin so; they live as long as their tickets

UPDATE_TTL_S = 2 * 86_400  # Telegram keeps what is not confirmed for a day
JOB_TTL_S = 7 * 86_400
GIVEN_UP_TTL_S = 30 * 86_400
GIVEN_UP_KEPT = 100
ALBUM_TTL_S = 2 * 86_400
SENDER_TTL_S = 86_400  # updates that were kept for so long while no bot ran belong together still
SAID_JOB_TTL_S = 3600  # of jobs that only said something: no button refers to them


def update_mark(chat: str, update_id: int | str) -> str:
    """The mark of a received update, or of a job that asked for others."""
    return f"{UPDATE}{{{chat}}}:{update_id}"


def job_key(chat: str, job_id: str) -> str:
    """A job: its request, its state, its checkpoints."""
    return f"{JOB}{{{chat}}}:{job_id}"


def lane_key(chat: str, lane: str) -> str:
    """The jobs that wait in one of a chat's lanes."""
    return f"{LANE}{{{chat}}}:{lane}"


def slot_key(chat: str, lane: str) -> str:
    """The job that runs in one of a chat's lanes."""
    return f"{SLOT}{{{chat}}}:{lane}"


# Of people ------------------------------------------------------------------------------------------------

BANS = f"{NAMESPACE}bans"  # for ever: ids of people and chats that may not use the bot, a set
TURNED_AWAY = f"{NAMESPACE}turned_away:"  # TURNED_AWAY_TTL_S: this chat was told that the bot is not for it
PAUSED = f"{NAMESPACE}paused"  # until the bot's admins take it back: no new request or export is begun
BUDGET = f"{NAMESPACE}budget:"  # BUDGET_TTL_S: what a person or a chat asked for on one day, a hash
TOTALS = f"{NAMESPACE}totals:"  # BUDGET_TTL_S: what all asked for on one day, and how it ended, a hash
PEOPLE = f"{NAMESPACE}people:"  # BUDGET_TTL_S: how many people asked on one day; a count that names nobody

TURNED_AWAY_TTL_S = 86_400
BUDGET_TTL_S = 2 * 86_400  # the day, and what still runs when it is over


def budget_key(whose: str, someone: int, day: str) -> str:
    """What somebody asked for on a day: a person (``whose`` is so called), or a chat."""
    return f"{BUDGET}{whose}:{someone}:{day}"


def totals_key(day: str) -> str:
    """What all asked for on a day."""
    return f"{TOTALS}{day}"


def people_key(day: str) -> str:
    """How many people asked for something on a day."""
    return f"{PEOPLE}{day}"


def turned_away_key(chat: str) -> str:
    """Which update was answered with the word that the bot is not for this chat."""
    return f"{TURNED_AWAY}{{{chat}}}"


def album_key(chat: str, album: str) -> str:
    """What was seen of an album."""
    return f"{ALBUM}{{{chat}}}:{album}"


def sender_key(chat: str, owner_id: int) -> str:
    """The job that somebody's newest message in a chat belongs to."""
    return f"{SENDER}{{{chat}}}:{owner_id}"


def asked_key(chat: str, address: int, message_id: int) -> str:
    """The job that a message of a chat belongs to; a group that moves to another address counts its messages anew."""
    return f"{ASKED}{{{chat}}}:{address}:{message_id}"


# Of the bot itself ----------------------------------------------------------------------------------------

MENU = f"{NAMESPACE}menu"  # for ever: digests of what was set at Telegram, a hash
MENU_LOCK = f"{NAMESPACE}menu:lock"  # as long as one process sets it; a minute when that was killed

# Of accounts ----------------------------------------------------------------------------------------------

GUEST_TOKENS = f"{NAMESPACE}guest_tokens"  # GUEST_TOKENS_TTL_S after the last one: when each was given

GUEST_TOKENS_TTL_S = 7 * 86_400  # the service allows so many in seven days

# Of receiving ---------------------------------------------------------------------------------------------

POLLING_LOCK = (
    f"{NAMESPACE}polling:lock"  # seconds after its holder last renewed it: which process polls Telegram
)
WEBHOOK = f"{NAMESPACE}webhook"  # for ever: a digest of what setWebhook was last told
WEBHOOK_LOCK = f"{NAMESPACE}webhook:lock"  # while one process sets it; a minute when that was killed

# Of Telegram's messages -----------------------------------------------------------------------------------

# Not with a chat's other keys: the whole bot's are counted along. Gone when full again, within a minute mostly.
FLOOD = (
    f"{NAMESPACE}flood:"  # when a limit's bucket is full, in ms; or till when Telegram wants to be left alone
)

MESSAGE_NUMBERS = (
    f"{NAMESPACE}messages:"  # MESSAGE_NUMBERS_TTL_S after the last one: the newest message numbers
)

MESSAGE_NUMBERS_KEPT = 500
MESSAGE_NUMBERS_TTL_S = 7 * 86_400


def flood_key(limit: str, chat_id: int) -> str:
    """One limit, of a chat or of the whole bot."""
    return f"{FLOOD}{limit}:{chat_id}"


def message_numbers_key(mailbox: str) -> str:
    """The newest message numbers of one mailbox, a sorted set."""
    return f"{MESSAGE_NUMBERS}{{{mailbox}}}"


# All of a chat --------------------------------------------------------------------------------------------

KEPT_WHEN_FORGOTTEN = (LANE, SLOT, UPDATE)
"""What an erased chat leaves: queues, which empty themselves, and marks that keep updates from counting twice."""


def chat_pattern(chat: str) -> str:
    """What the names of all of a chat's keys match, and no others."""
    return f"{NAMESPACE}*{{{chat}}}*"
