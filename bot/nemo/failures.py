"""What a failed turn means: kinds of failures, recognized by the codes and words of the service."""

import re
from enum import StrEnum

NORMAL_ENDS = frozenset(
    {
        *("STOP", "MODEL_RETURNED_NO_CONTENT", "MAX_TOKENS", "NULL", "NONE"),
        *("UNSPECIFIED", "END_TURN", "STOP_SEQUENCE", "LENGTH", "MAX_OUTPUT_TOKENS"),
        *("OK", "SUCCESS", "DONE", "COMPLETE", "COMPLETED"),
    }
)
"""Values of ``errorCode`` that name a normal finish.

ADK puts the model's finish reason there, and other models have names of their own; ADK 2 closes a turn without text
with ``MODEL_RETURNED_NO_CONTENT``, older releases with ``STOP``. A cut by length ends a turn as well: what was done
before it is done.
"""


class FailureKind(StrEnum):
    """Why a turn failed, as far as a person can do something about it."""

    BUSY = "busy"  # overloaded, or asked too often: later it works
    QUOTA = "quota"  # the account's credits or plan
    POLICY = "policy"  # the content is refused
    PERSON = "person"  # a real, named person is refused
    UNAVAILABLE = "unavailable"  # the service, or something behind it, is down
    UNKNOWN = "unknown"


_LACKS_CREDITS = (
    r"(?:insufficient|(?<![a-z])(?:not enough|out of|no|low(?: on)?))[\W_]{0,3}"
    r"(?:(?!end |colou?r |white |audio )\w{1,12} )?(?:credit|balance|fund(?!a))"
    r"|credits?.{0,20}(?:exhausted|used up|not enough|insufficient|too low)"
    r"|(?:积分|余额|点数|额度).{0,4}(?:不足|不够|用完|耗尽)|欠费"
)
LACKS_CREDITS = re.compile(_LACKS_CREDITS, re.IGNORECASE)
"""What the service says to an account without credits, in whatever words."""

_WORDS = {
    FailureKind.PERSON: (
        r"real.?(?:world )?(?:person|people|individual)",
        r"(?:named|identifiable|public) (?:person|people|figure|individual)",
        r"celebrit|likeness|PERSON.?GENERATION|(?<!no )human face|(?<!未检测到)(?<!没有)人脸",
        r"真人|真实(?:的)?人物|公众人物|名人|肖像",
    ),
    FailureKind.POLICY: (
        r"SAFETY|PROHIBITED|BLOCKLIST|RECITATION|SPII|\bblocked\b|flagged|NSFW|responsible ai|copyright",
        r"(?:content|usage) (?:polic|filter)|violat\w+|moderat\w+|sensitive|not allowed to generate",
        r"\bunsafe\b|\bharmful\b|trademark|terms of (?:service|use)|审核",
        r"\bminors\b|\b(?:of|depicts?|involves?|involving) (?:a )?minor\b|child safety|underage",
        r"sexual|nudity|violen(?:ce|t)|违规|违反|敏感|不合规|版权|侵权|色情|暴力|政治|未成年",
    ),
    FailureKind.QUOTA: (
        rf"{_LACKS_CREDITS}|insufficient.quota|\b402\b",
        r"billing|payment|\btop.?up|余额|额度|充值",
    ),
    FailureKind.BUSY: (
        r"\b(?:409|423|429|503|529)\b|RESOURCE_EXHAUSTED|rate.?limit|too many requests|overload\w*",
        r"quota|capacity|try again later|\bbusy\b|concurren|并发|throttl|per minute",
        r"high (?:demand|load)|maintenance|upgrade in progress|being upgraded",
        r"繁忙|频繁|限流|过载|排队|稍后|维护|升级中",
    ),
    FailureKind.UNAVAILABLE: (
        r"\b50[0-4]\b|UNAVAILABLE|DEADLINE.EXCEEDED|INTERNAL\b|hang up|\bECONN|\bENOTFOUND|bad gateway|upstream",
        r"timed? ?out|timeout|connection|temporarily|unreachable|超时|不可用|网络|服务器.{0,4}错误",
    ),
}
_PATTERNS = {kind: re.compile("|".join(words), re.IGNORECASE) for kind, words in _WORDS.items()}


def is_normal_end(code: str | None) -> bool:
    """Return whether an ``errorCode`` that is a word names a normal finish."""
    return re.sub(r"^FINISH_?REASON[._]", "", (code or "").strip().upper()) in NORMAL_ENDS


def failure_kind(message: str) -> FailureKind:
    """Return the kind of a failure by what the service said of it.

    Words that are not in the lists give ``UNKNOWN``, which is shown without a reason.

    Args:
        message: The service's own words, which may hold an exception's name, a status code, JSON, or a word as a code,
            such as ``SAFETY``.
    """
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(message)), FailureKind.UNKNOWN)
