"""Every key in the store: its name and its lifetime.

A chat's keys have the chat in braces, so that they share a slot of a cluster and one script or transaction can use
them together. ``chat`` is always ``str(ChatKey)``, such as ``-100123:45``.
"""

from collections.abc import Callable
from typing import Protocol

NAMESPACE = "nemo:"


class _ChatsKey(Protocol):
    def __call__(self, chat: str, *parts: str | int) -> str: ...


def _of_chat(prefix: str) -> _ChatsKey:
    def key(chat: str, *parts: str | int) -> str:
        return ":".join((f"{prefix}{{{chat}}}", *map(str, parts)))

    return key


def _of(prefix: str) -> Callable[..., str]:
    def key(*parts: str | int) -> str:
        return prefix + ":".join(map(str, parts))

    return key


# Of the store itself --------------------------------------------------------------------------------------

SCHEMA = f"{NAMESPACE}schema"  # forever: the version of everything below
# until the next rewrite: something was erased, which the file still holds
AOF_REWRITE_DUE = f"{NAMESPACE}rewrite:due"
REWRITTEN_TODAY = f"{NAMESPACE}rewrite:day"  # a day
REWRITTEN_WITHIN_HOUR = f"{NAMESPACE}rewrite:hour"  # an hour
CIPHER_MARKER = f"{NAMESPACE}cipher:marker"  # forever: a text that only the right encryption key decrypts

# Of a chat ------------------------------------------------------------------------------------------------

# The hash of a topic holds its project; that of the chat holds the account and the settings of all topics too.
CHAT = f"{NAMESPACE}chat:"  # CHAT_TTL_DAYS after its last write: what is known of a chat, a hash
chat_key = _of_chat(CHAT)
# ACCOUNT_LOCK_TTL_S: one job of a chat gets it a guest token
account_lock_key = _of_chat(f"{NAMESPACE}account_lock:")
RESULTS = f"{NAMESPACE}results:"  # as its chat: the latest videos delivered there, a list
results_key = _of_chat(RESULTS)
projects_key = _of_chat(f"{NAMESPACE}projects:")  # as its chat: the projects that it can go back to, a hash
# by chat and a project's mark. CHAT_TTL_DAYS after the last one: its versions by their numbers, a hash
versions_key = _of_chat(f"{NAMESPACE}versions:")
# CHAT_TTL_DAYS after the last use: requests that a chat has saved, a hash
templates_key = _of_chat(f"{NAMESPACE}templates:")
# CHAT_TTL_DAYS after the last use: its logo, intro, outro and default format, a hash
brand_key = _of_chat(f"{NAMESPACE}brand:")
# CHAT_TTL_DAYS after the last use: where a person let the bot post, a hash
channels_key = _of_chat(f"{NAMESPACE}channels:")
# CHAT_TTL_DAYS after the last one: files that were brought into its projects, a list
uploads_key = _of_chat(f"{NAMESPACE}uploads:")
MOVED_TO = f"{NAMESPACE}moved_to"  # forever: ids of supergroups by the id that they had as groups, a hash
MOVED_FROM = f"{NAMESPACE}moved_from"  # forever: the same the other way round
admins_key = _of_chat(f"{NAMESPACE}admins:")  # ADMINS_TTL_S: a group's admins, AdminList

ACCOUNT_LOCK_TTL_S = 10  # a holder that is slower than this, or dead, loses it
ADMINS_TTL_S = 60  # a former admin passes for one no longer than this


# Of jobs --------------------------------------------------------------------------------------------------

UPDATE = f"{NAMESPACE}update:"  # UPDATE_TTL_S: this update was received, drop its repetitions
update_mark = _of_chat(UPDATE)  # by chat and update id, or what stands for a job that asked for others
JOB = f"{NAMESPACE}job:"  # until it ends and JOB_TTL_S more, for buttons that refer to it: a hash of JobField
job_key = _of_chat(JOB)  # by chat and job id
QUEUE = f"{NAMESPACE}queue:"  # while jobs wait in it: a list of job ids
queue_key = _of_chat(QUEUE)  # by chat and queue
RUNNING = f"{NAMESPACE}running:"  # while a job of the queue runs, or waits to be taken up again: a hash: job, ticket
running_key = _of_chat(RUNNING)  # by chat and queue
QUEUES = f"{NAMESPACE}queues"  # while any is in use: queues in which jobs wait or run, by when the sweep looks at them
PAUSED = f"{NAMESPACE}paused"  # until the operator resumes: no new request or export is begun
SCHEDULED_JOBS = f"{NAMESPACE}jobs:scheduled"  # while any wait: jobs that begin at a later time, by when
SWEEP_LOCK = f"{NAMESPACE}sweep:lock"  # seconds: one process sweeps for all
# by chat and album. ALBUM_TTL_S after its last part: the parts seen so far, and its job, a hash
album_key = _of_chat(f"{NAMESPACE}album:")
# by chat and person. LATEST_JOB_TTL_S: id of the job that the person's newest message there belongs to
latest_job_key = _of_chat(f"{NAMESPACE}latest_job:")
# Both by chat, Telegram's id of it and message id: a group that moves starts its message numbers again.
# JOB_TTL_S: id of the job that the message belongs to
job_of_message_key = _of_chat(f"{NAMESPACE}job_of_message:")
# SEEN_TTL_S: what the message held when it was last seen, a digest
seen_key = _of_chat(f"{NAMESPACE}seen:")
WAITING_JOBS = f"{NAMESPACE}jobs:waiting"  # while any wait: keys of jobs in main queues, by when they came
# by person. WAITING_OF_TTL_S after the last: keys of their jobs that wait in main queues, of whichever chats, a set
waiting_of_key = _of(f"{NAMESPACE}jobs:waiting_of:")
STARTED_JOBS = f"{NAMESPACE}jobs:started"  # while any run: keys of jobs, by when they began
# WHOLE_JOB_TTL_S each: keys of jobs that are kept whole, by when they ended
ENDED_JOBS = f"{NAMESPACE}jobs:ended"
SAVED_JOBS = f"{NAMESPACE}jobs:saved"  # while any run: keys of the same jobs, by their last checkpoint
# until it has its answer: id of the job that asks something in a chat
OPEN_QUESTION = f"{NAMESPACE}open_question:"
open_question_key = _of_chat(OPEN_QUESTION)
# while any wait: chat/id of jobs that wait for an answer, by since when
OPEN_QUESTIONS = f"{NAMESPACE}jobs:asking"
# by kind of work. USUAL_TIMES_TTL_S after the last: its newest times, a list
usual_times_key = _of(f"{NAMESPACE}usual_times:")
GIVEN_UP = f"{NAMESPACE}given_up"  # GIVEN_UP_TTL_S after the last one: jobs that were given up, a list
CANCEL_CHANNEL = f"{NAMESPACE}cancel"  # not a key: the channel on which ids of cancelled jobs are published
DOCKET = f"{NAMESPACE}docket"  # docket's own keys begin so; they live as long as their tickets
QUICK_DOCKET = f"{DOCKET}-quick"  # the same for tickets of quick queues

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


# Of people ------------------------------------------------------------------------------------------------

BANS = f"{NAMESPACE}bans"  # forever: ids of people and chats that may not use the bot, a set
ACCESS_DENIED = f"{NAMESPACE}access_denied:"  # ACCESS_DENIED_TTL_S: the update answered with a refusal
access_denied_key = _of_chat(ACCESS_DENIED)

# All by day, an ISO date in UTC, for QUOTA_TTL_S.
QUOTA = f"{NAMESPACE}quota:"
quota_key = _of(QUOTA)  # by "person" or "chat", Telegram's id and day: what they used, a hash
totals_key = _of(f"{NAMESPACE}totals:")  # what all chats used, and how it ended, a hash
people_key = _of(f"{NAMESPACE}people:")  # how many requests each person made, a sorted set
accounts_spent_key = _of(f"{NAMESPACE}accounts:spent:")  # credits that each account spent, a sorted set
accounts_left_key = _of(f"{NAMESPACE}accounts:left:")  # what each had when it was last read, a hash

ACCESS_DENIED_TTL_S = 86_400
QUOTA_TTL_S = 2 * 86_400  # the day, and what still runs when it is over


# INLINE_REQUEST_TTL_S: what a person typed behind the bot's name
inline_request_key = _of_chat(f"{NAMESPACE}inline_request:")

INLINE_REQUEST_TTL_S = 3600

# by query. GUEST_MESSAGE_TTL_S: the inline ID of the answer to a guest query
guest_message_key = _of(f"{NAMESPACE}guest_message:")

GUEST_MESSAGE_TTL_S = 2 * 86_400  # a job may wait a day for an answer


# Of the bot itself ----------------------------------------------------------------------------------------

MENU = f"{NAMESPACE}menu"  # forever: digests of what was set at Telegram, a hash
MENU_LOCK = f"{NAMESPACE}menu:lock"  # as long as one process sets it; a minute when that was killed

# ALERTS_TTL_S after the last change: the problems that admins were alerted to, a hash
ALERTS = f"{NAMESPACE}alerts"
ALERTS_LOCK = f"{NAMESPACE}alerts:lock"  # seconds: one process keeps the messages up to date
ALERTS_LAST_OWNER = f"{NAMESPACE}alerts:last_owner"  # forever: the process that had the lock last
ALERTS_OFF = f"{NAMESPACE}alerts_off"  # forever: ids of admins who get no alerts, a set
ALERTS_TTL_S = 2 * 86_400


# Of accounts ----------------------------------------------------------------------------------------------

GUEST_TOKENS = f"{NAMESPACE}guest_tokens"  # GUEST_TOKENS_TTL_S after the last one: when each was given
# by digest of a person's id. GUEST_TOKENS_TTL_S: digest of the client id to which they got one
guest_account_key = _of(f"{NAMESPACE}guest_account:")

GUEST_TOKENS_TTL_S = 7 * 86_400  # the service allows so many in seven days


# OPERATOR_TOKEN_REFUSED_TTL_S: a digest of that token
OPERATOR_TOKEN_REFUSED = f"{NAMESPACE}operator:refused"
# forever: how many turns the operator's account began and ended
OPERATOR_TURNS = f"{NAMESPACE}operator:turns"
# QUOTA_TTL_S after the last reading: its credits then, a hash
OPERATOR_BALANCE = f"{NAMESPACE}operator:balance"

OPERATOR_TOKEN_REFUSED_TTL_S = 86_400  # one chat tries it again after that

# Of receiving ---------------------------------------------------------------------------------------------

POLLING_LOCK = f"{NAMESPACE}polling:lock"  # seconds after the last renewal: which process polls Telegram
WEBHOOK = f"{NAMESPACE}webhook"  # forever: a digest of the last call of setWebhook
WEBHOOK_LOCK = f"{NAMESPACE}webhook:lock"  # while one process sets it; a minute when that was killed

# Of Telegram's messages -----------------------------------------------------------------------------------

# Not with a chat's other keys: the whole bot's are counted along. Gone when full again, within a minute mostly.
# by limit and chat, 0 for the whole bot: when the limit's bucket is full, or Telegram's pause is over, in ms
rate_limit_key = _of(f"{NAMESPACE}rate_limit:")

# MESSAGE_NUMBERS_TTL_S after the last: the newest numbers
message_numbers_key = _of_chat(f"{NAMESPACE}message_numbers:")

MESSAGE_NUMBERS_KEPT = 500
MESSAGE_NUMBERS_TTL_S = 7 * 86_400

# MESSAGE_NUMBERS_TTL_S after the last: the newest message of each request
LATEST_MESSAGES = f"{NAMESPACE}latest_messages:"
latest_messages_key = _of_chat(LATEST_MESSAGES)
LATEST_MESSAGES_KEPT = 10


# All of a chat --------------------------------------------------------------------------------------------

KEPT_WHEN_ERASED = (QUEUE, RUNNING, UPDATE)
"""What an erased chat leaves: queues, which empty themselves, and marks that keep updates from counting twice."""


def topics_pattern(chat_id: int) -> str:
    """Return a pattern that matches all keys of a chat's topics, and not those of the chat itself."""
    return f"{NAMESPACE}*{{{chat_id}:*}}*"


def chat_pattern(chat: str) -> str:
    """Return a pattern that matches all keys of a chat and no others."""
    return f"{NAMESPACE}*{{{chat}}}*"
