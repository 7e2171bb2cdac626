import pytest

from bot.nemo.failures import FailureKind, failure_kind, is_normal_end


@pytest.mark.parametrize(
    ("code", "normal"),
    [
        ("STOP", True),
        ("stop", True),
        ("MODEL_RETURNED_NO_CONTENT", True),
        ("FINISH_REASON_UNSPECIFIED", True),
        ("MAX_TOKENS", True),
        ("null", True),
        ("FinishReason.STOP", True),
        ("end_turn", True),
        ("SAFETY", False),
        ("MALFORMED_FUNCTION_CALL", False),
        ("", False),
        (None, False),
        ("SOMETHING_NEW", False),
    ],
)
def test_codes_that_name_a_normal_finish(code: str | None, normal: bool) -> None:
    assert is_normal_end(code) is normal


@pytest.mark.parametrize(
    ("message", "reason", "kind"),
    [
        ("RuntimeError: 503 UNAVAILABLE. {'error': {'code': 503}}", None, FailureKind.BUSY),
        ("_ResourceExhaustedError: 429 RESOURCE_EXHAUSTED. Quota exceeded for model", None, FailureKind.BUSY),
        ("The model is overloaded. Please try again later.", None, FailureKind.BUSY),
        ("Insufficient credits for this operation", None, FailureKind.QUOTA),
        ("blocked", "SAFETY", FailureKind.POLICY),
        ("The prompt could violate our usage policy", None, FailureKind.POLICY),
        ("We can't generate videos of real people", None, FailureKind.PERSON),
        ("real human face is not supported", None, FailureKind.PERSON),
        ("图片中检测到人脸", None, FailureKind.PERSON),
        ("内容审核未通过", None, FailureKind.POLICY),
        ("unsafe content, see the terms of service", None, FailureKind.POLICY),
        ("Max concurrent generations reached", None, FailureKind.BUSY),
        ("并发数超限", None, FailureKind.BUSY),
        ("Bad Gateway", None, FailureKind.UNAVAILABLE),
        ("A celebrity's likeness is not supported", None, FailureKind.PERSON),
        ("TimeoutError: timed out after 120 s", None, FailureKind.UNAVAILABLE),
        ("HTTPStatusError: 502 Bad Gateway", None, FailureKind.UNAVAILABLE),
        ("Error 402: no credits left", None, FailureKind.QUOTA),
        ("积分不足，请充值", None, FailureKind.QUOTA),
        ("系统繁忙，请稍后重试", None, FailureKind.BUSY),
        ("Service upgrade in progress", None, FailureKind.BUSY),
        ("系统升级维护中", None, FailureKind.BUSY),
        ("包含敏感内容", None, FailureKind.POLICY),
        ("该内容涉嫌侵权", None, FailureKind.POLICY),
        ("Videos of minors are not possible", None, FailureKind.POLICY),
        ("This was flagged by Responsible AI practices", None, FailureKind.POLICY),
        ("can't depict real-world individuals", None, FailureKind.PERSON),
        ("Deadline exceeded; socket hang up", None, FailureKind.UNAVAILABLE),
        ("请求超时", None, FailureKind.UNAVAILABLE),
        ("InsufficientCreditsError: need 100, have 20", None, FailureKind.QUOTA),
        ("账户欠费", None, FailureKind.QUOTA),
        ("不能生成真实人物", None, FailureKind.PERSON),
        ("ThrottlingException", None, FailureKind.BUSY),
        ("模型过载", None, FailureKind.BUSY),
        ("服务器内部错误", None, FailureKind.UNAVAILABLE),
        ("a minor change failed", None, FailureKind.UNKNOWN),
        ("desktop upload failed", None, FailureKind.UNKNOWN),
        ("there are no end credits on the track", None, FailureKind.UNKNOWN),
        ("No color balance is set", None, FailureKind.UNKNOWN),
        ("No human face was found in the picture", None, FailureKind.UNKNOWN),
        ("未检测到人脸", None, FailureKind.UNKNOWN),
        ("KeyError: 'tracks'", None, FailureKind.UNKNOWN),
        ("AttributeError: blocked_by", None, FailureKind.UNKNOWN),
        ("", "SOMETHING_NEW", FailureKind.UNKNOWN),
    ],
)
def test_the_kind_of_a_failure(message: str, reason: str | None, kind: FailureKind) -> None:
    assert failure_kind(f"{reason or ''} {message}") is kind
