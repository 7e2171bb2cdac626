"""Every key in the store: its name and its lifetime.

A chat's keys have the chat in braces, so that they share a slot of a cluster and one script or transaction can use
them together. ``chat`` is always ``str(ChatKey)``, such as ``-100123:45``.
"""

from collections.abc import Callable

NAMESPACE = "nemo:"


def _of_chat(prefix: str) -> Callable[[str], str]:
    def key(chat: str) -> str:
        return f"{prefix}{{{chat}}}"

    return key


# Of the store itself --------------------------------------------------------------------------------------

SCHEMA = f"{NAMESPACE}schema"  # for ever: the version of everything below
# until the next rewrite: something was erased, which the file still holds
REWRITE_DUE = f"{NAMESPACE}rewrite:due"
REWRITTEN_TODAY = f"{NAMESPACE}rewrite:day"  # a day
REWRITTEN_WITHIN_HOUR = f"{NAMESPACE}rewrite:hour"  # an hour
CIPHER_MARKER = f"{NAMESPACE}cipher:marker"  # for ever: a text that only the right encryption key decrypts

# Of a chat ------------------------------------------------------------------------------------------------

# The hash of a topic holds its project; that of the chat holds the account and the settings of all topics too.
CHAT = f"{NAMESPACE}chat:"  # CHAT_TTL_DAYS after its last write: what is known of a chat, a hash
chat_key = _of_chat(CHAT)
# ACCOUNT_LOCK_TTL_S: one job of a chat gets it a guest token
account_lock_key = _of_chat(f"{NAMESPACE}account_lock:")
RESULTS = f"{NAMESPACE}results:"  # as its chat: the latest videos delivered there, a list
results_key = _of_chat(RESULTS)
projects_key = _of_chat(f"{NAMESPACE}projects:")  # as its chat: the projects that it can go back to, a hash
# CHAT_TTL_DAYS after the last one: a project's versions by their numbers, a hash
VERSIONS = f"{NAMESPACE}versions:"
# CHAT_TTL_DAYS after the last use: requests that a chat has saved, a hash
templates_key = _of_chat(f"{NAMESPACE}templates:")
# CHAT_TTL_DAYS after the last use: its logo, intro, outro and default format, a hash
brand_key = _of_chat(f"{NAMESPACE}brand:")
# CHAT_TTL_DAYS after the last use: where a person let the bot post, a hash
channels_key = _of_chat(f"{NAMESPACE}channels:")
# CHAT_TTL_DAYS after the last one: files that were brought into its projects, a list
uploads_key = _of_chat(f"{NAMESPACE}uploads:")
MOVED_TO = f"{NAMESPACE}moved_to"  # for ever: ids of supergroups by the id that they had as groups, a hash
MOVED_FROM = f"{NAMESPACE}moved_from"  # for ever: the same the other way round
admins_key = _of_chat(f"{NAMESPACE}admins:")  # ADMINS_TTL_S: a group's admins, AdminList

ACCOUNT_LOCK_TTL_S = 10  # whoever is slower than this, or dead, is waited for no longer
ADMINS_TTL_S = 60  # a former admin passes for one no longer than this


def versions_key(chat: str, mark: str) -> str:
    """Return the key of the versions of a project, which its mark stands for."""
    return f"{VERSIONS}{{{chat}}}:{mark}"


# Of jobs --------------------------------------------------------------------------------------------------

UPDATE = f"{NAMESPACE}update:"  # UPDATE_TTL_S: this update was received, drop its repetitions
JOB = f"{NAMESPACE}job:"  # until it ends and JOB_TTL_S more, for buttons that refer to it: a hash of JobField
QUEUE = f"{NAMESPACE}queue:"  # while jobs wait in it: a list of job ids
RUNNING = f"{NAMESPACE}running:"  # while a job of the queue runs, or waits to be taken up again: a hash: job, ticket
QUEUES = f"{NAMESPACE}queues"  # while any is in use: queues in which jobs wait or run, by when the sweep looks at them
PAUSED = f"{NAMESPACE}paused"  # until the operator resumes: no new request or export is begun
LATER_JOBS = f"{NAMESPACE}jobs:later"  # while any wait: jobs that begin at a later time, by when
SWEEP_LOCK = f"{NAMESPACE}sweep:lock"  # seconds: one process sweeps for all
ALBUM = f"{NAMESPACE}album:"  # ALBUM_TTL_S after its last part: the parts of an album seen so far, and its job, a hash
# LATEST_JOB_TTL_S: id of the job that a person's newest message belongs to
LATEST_JOB = f"{NAMESPACE}latest_job:"
JOB_OF_MESSAGE = f"{NAMESPACE}job_of_message:"  # JOB_TTL_S: id of the job that a message belongs to
SEEN = f"{NAMESPACE}seen:"  # SEEN_TTL_S: what a message held when it was last seen, a digest
WAITING_JOBS = f"{NAMESPACE}jobs:waiting"  # while any wait: keys of jobs in main queues, by when they came
# WAITING_OF_TTL_S after the last: keys of a person's waiting jobs, a set
WAITING_OF = f"{NAMESPACE}jobs:waiting_of:"
STARTED_JOBS = f"{NAMESPACE}jobs:started"  # while any run: keys of jobs, by when they began
# WHOLE_JOB_TTL_S each: keys of jobs that are kept whole, by when they ended
ENDED_JOBS = f"{NAMESPACE}jobs:ended"
SAVED_JOBS = f"{NAMESPACE}jobs:saved"  # while any run: keys of the same jobs, by their last checkpoint
# until it has its answer: id of the job that asks something in a chat
OPEN_QUESTION = f"{NAMESPACE}open_question:"
open_question_key = _of_chat(OPEN_QUESTION)
# while any wait: chat/id of jobs that wait for an answer, by since when
OPEN_QUESTIONS = f"{NAMESPACE}jobs:asking"
# USUAL_TIMES_TTL_S after the last: the newest times of a kind of work, a list
USUAL_TIMES = f"{NAMESPACE}usual_times:"
GIVEN_UP = f"{NAMESPACE}given_up"  # GIVEN_UP_TTL_S after the last one: jobs that were given up, a list
CANCEL_CHANNEL = f"{NAMESPACE}cancel"  # not a key: the channel on which ids of cancelled jobs are published
DOCKET = f"{NAMESPACE}docket"  # docket's own keys begin so; they live as long as their tickets

WAITING_OF_TTL_S = 86_400
UPDATE_TTL_S = 2 * 86_400  # Telegram keeps unconfirmed updates for a day
JOB_TTL_S = 7 * 86_400
WHOLE_JOB_TTL_S = 86_400  # after it ended; from then on, what buttons need is kept of a job
BRIEF_JOB_TTL_S = 3600  # of jobs that no button refers to
ANSWER_TTL_S = 86_400  # how long an open question waits for its answer
GIVEN_UP_TTL_S = 30 * 86_400
USUAL_TIMES_TTL_S = 90 * 86_400
GIVEN_UP_KEPT = 100
ALBUM_TTL_S = 2 * 86_400
SEEN_TTL_S = 86_400  # an older message that is edited into a request is none
LATEST_JOB_TTL_S = 86_400  # as long as Telegram keeps updates while no bot runs: those belong together still


def update_mark(chat: str, update_id: int | str) -> str:
    """Return the key that marks an update, or a job that asked for others, as received."""
    return f"{UPDATE}{{{chat}}}:{update_id}"


def job_key(chat: str, job_id: str) -> str:
    """Return the key of a job: its request, its state, its checkpoints."""
    return f"{JOB}{{{chat}}}:{job_id}"


def queue_key(chat: str, queue: str) -> str:
    """Return the key of the jobs that wait in one of a chat's queues."""
    return f"{QUEUE}{{{chat}}}:{queue}"


def usual_times_key(work: str) -> str:
    """Return the key of how long one kind of work took."""
    return f"{USUAL_TIMES}{work}"


def waiting_of_key(owner_id: int) -> str:
    """Return the key of a person's jobs that wait in main queues, of whichever chats."""
    return f"{WAITING_OF}{owner_id}"


def running_key(chat: str, queue: str) -> str:
    """Return the key of the job that runs in one of a chat's queues."""
    return f"{RUNNING}{{{chat}}}:{queue}"


def album_key(chat: str, album: str) -> str:
    """Return the key of what was seen of an album."""
    return f"{ALBUM}{{{chat}}}:{album}"


def latest_job_key(chat: str, owner_id: int) -> str:
    """Return the key of the job that a person's newest message in a chat belongs to."""
    return f"{LATEST_JOB}{{{chat}}}:{owner_id}"


def job_of_message_key(chat: str, telegram_chat_id: int, message_id: int) -> str:
    """Return the key of the job that a message belongs to; a group that moves starts its message numbers again."""
    return f"{JOB_OF_MESSAGE}{{{chat}}}:{telegram_chat_id}:{message_id}"


def seen_key(chat: str, telegram_chat_id: int, message_id: int) -> str:
    """Return the key of what a message held."""
    return f"{SEEN}{{{chat}}}:{telegram_chat_id}:{message_id}"


# Of people ------------------------------------------------------------------------------------------------

BANS = f"{NAMESPACE}bans"  # for ever: ids of people and chats that may not use the bot, a set
ACCESS_DENIED = f"{NAMESPACE}access_denied:"  # ACCESS_DENIED_TTL_S: the update answered with a refusal
access_denied_key = _of_chat(ACCESS_DENIED)
QUOTA = f"{NAMESPACE}quota:"  # QUOTA_TTL_S: what a person or a chat used on one day, a hash
TOTALS = f"{NAMESPACE}totals:"  # QUOTA_TTL_S: what all chats used on one day, and how it ended, a hash
PEOPLE = f"{NAMESPACE}people:"  # QUOTA_TTL_S: how many requests each person made on one day, a sorted set
# QUOTA_TTL_S: credits that each account spent on one day, a sorted set
ACCOUNTS_SPENT = f"{NAMESPACE}accounts:spent:"
# QUOTA_TTL_S: what each had when it was last read on one day, a hash
ACCOUNTS_LEFT = f"{NAMESPACE}accounts:left:"

ACCESS_DENIED_TTL_S = 86_400
QUOTA_TTL_S = 2 * 86_400  # the day, and what still runs when it is over


def quota_key(scope: str, owner_id: int, day: str) -> str:
    """Return the key of what was used on a day.

    Args:
        scope: ``person`` or ``chat``.
        owner_id: Telegram id of the person or the chat.
        day: ISO date, UTC.
    """
    return f"{QUOTA}{scope}:{owner_id}:{day}"


def totals_key(day: str) -> str:
    """Return the key of what all chats used on a day."""
    return f"{TOTALS}{day}"


def people_key(day: str) -> str:
    """Return the key of how many requests each person made on a day."""
    return f"{PEOPLE}{day}"


def accounts_spent_key(day: str) -> str:
    """Return the key of what each account spent on a day."""
    return f"{ACCOUNTS_SPENT}{day}"


def accounts_left_key(day: str) -> str:
    """Return the key of what each account had left on a day."""
    return f"{ACCOUNTS_LEFT}{day}"


# INLINE_REQUEST_TTL_S: what a person typed behind the bot's name
inline_request_key = _of_chat(f"{NAMESPACE}inline_request:")

INLINE_REQUEST_TTL_S = 3600


# GUEST_MESSAGE_TTL_S: the inline ID of the answer to a guest query
GUEST_MESSAGE = f"{NAMESPACE}guest_message:"

GUEST_MESSAGE_TTL_S = 2 * 86_400  # a job may wait a day for an answer


def guest_message_key(query_id: str) -> str:
    """Return the key of the inline ID of the answer to a guest query."""
    return f"{GUEST_MESSAGE}{query_id}"


# Of the bot itself ----------------------------------------------------------------------------------------

MENU = f"{NAMESPACE}menu"  # for ever: digests of what was set at Telegram, a hash
MENU_LOCK = f"{NAMESPACE}menu:lock"  # as long as one process sets it; a minute when that was killed

# ALERTS_TTL_S after the last change: the troubles that admins were told, a hash
ALERTS = f"{NAMESPACE}alerts"
ALERTS_LOCK = f"{NAMESPACE}alerts:lock"  # seconds: one process keeps the messages up to date
ALERTS_LAST_OWNER = f"{NAMESPACE}alerts:last_owner"  # for ever: the process that had the lock last
ALERTS_OFF = f"{NAMESPACE}alerts_off"  # for ever: ids of admins who get no alerts, a set
ALERTS_TTL_S = 2 * 86_400


# Of accounts ----------------------------------------------------------------------------------------------

GUEST_TOKENS = f"{NAMESPACE}guest_tokens"  # GUEST_TOKENS_TTL_S after the last one: when each was given
# GUEST_TOKENS_TTL_S: digest of the client id to which a person got one
GUEST_ACCOUNT = f"{NAMESPACE}guest_account:"

GUEST_TOKENS_TTL_S = 7 * 86_400  # the service allows so many in seven days


def guest_account_key(person: str) -> str:
    """Return the key of the guest account that a person got this week, by the digest of their id."""
    return f"{GUEST_ACCOUNT}{person}"


# OPERATOR_TOKEN_REFUSED_TTL_S: a digest of that token
OPERATOR_TOKEN_REFUSED = f"{NAMESPACE}operator:refused"
# for ever: how many turns the operator's account began and ended
OPERATOR_TURNS = f"{NAMESPACE}operator:turns"
# QUOTA_TTL_S after the last reading: its credits then, a hash
OPERATOR_BALANCE = f"{NAMESPACE}operator:balance"

OPERATOR_TOKEN_REFUSED_TTL_S = 86_400  # one chat tries it again after that

# Of receiving ---------------------------------------------------------------------------------------------

POLLING_LOCK = f"{NAMESPACE}polling:lock"  # seconds after the last renewal: which process polls Telegram
WEBHOOK = f"{NAMESPACE}webhook"  # for ever: a digest of what setWebhook was last told
WEBHOOK_LOCK = f"{NAMESPACE}webhook:lock"  # while one process sets it; a minute when that was killed

# Of Telegram's messages -----------------------------------------------------------------------------------

# Not with a chat's other keys: the whole bot's are counted along. Gone when full again, within a minute mostly.
RATE_LIMIT = f"{NAMESPACE}rate_limit:"  # when a limit's bucket is full, or Telegram's pause is over, in ms

# MESSAGE_NUMBERS_TTL_S after the last: the newest numbers
message_numbers_key = _of_chat(f"{NAMESPACE}message_numbers:")

MESSAGE_NUMBERS_KEPT = 500
MESSAGE_NUMBERS_TTL_S = 7 * 86_400

# MESSAGE_NUMBERS_TTL_S after the last: the newest message of each request
LATEST_MESSAGES = f"{NAMESPACE}latest_messages:"
latest_messages_key = _of_chat(LATEST_MESSAGES)
LATEST_MESSAGES_KEPT = 10


def rate_limit_key(limit: str, chat_id: int) -> str:
    """Return the key of one limit, of a chat or of the whole bot."""
    return f"{RATE_LIMIT}{limit}:{chat_id}"


# All of a chat --------------------------------------------------------------------------------------------

KEPT_WHEN_FORGOTTEN = (QUEUE, RUNNING, UPDATE)
"""What an erased chat leaves: queues, which empty themselves, and marks that keep updates from counting twice."""


def topics_pattern(chat_id: int) -> str:
    """Return a pattern that matches all keys of a chat's topics, and not those of the chat itself."""
    return f"{NAMESPACE}*{{{chat_id}:*}}*"


def chat_pattern(chat: str) -> str:
    """Return a pattern that matches all keys of a chat and no others."""
    return f"{NAMESPACE}*{{{chat}}}*"
