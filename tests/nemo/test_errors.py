from typing import Any

import httpx
import pytest

from bot.nemo.errors import (
    MAX_MESSAGE_CHARS,
    AccessRefused,
    AlreadyUploaded,
    AuthError,
    Call,
    ClientIdMissing,
    ExportNotInPlan,
    FileSizeRefused,
    FileTypeRefused,
    NoCredits,
    PaymentRequired,
    RateLimited,
    RenderIdTaken,
    ServiceError,
    SessionGone,
    TransportError,
    UnexpectedAnswer,
    WarmingUp,
    clean,
    code_of,
    error_for,
    failed_before_sending,
    message_of,
    plan_refusal,
)

CALL = Call("POST", "/api/x")


@pytest.mark.parametrize(
    ("status", "code", "message", "error"),
    [
        (200, 1001, "", AuthError),
        (500, 1002, "", SessionGone),  # the code takes precedence
        (429, None, "", RateLimited),
        (429, 9999, "", RateLimited),
        (401, 2001, "", NoCredits),
        (404, None, "Session not found: s", SessionGone),
        (404, None, "no such page", ServiceError),
        (400, None, "client_id is required", ClientIdMissing),
        (None, 400, "bad draft", ServiceError),
    ],
)
def test_an_answer_becomes_its_error(
    status: int | None, code: int | None, message: str, error: type[ServiceError]
) -> None:
    assert type(error_for(CALL, status=status, code=code, message=message)) is error


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, ClientIdMissing), (403, AccessRefused), (429, RateLimited), (500, ServiceError)],
)
def test_another_client_id_mends_only_what_is_said_to_lack_one(
    status: int, error: type[ServiceError]
) -> None:
    """Each of them may cost one of the few guest accounts."""
    call = Call("POST", "/api/auth/anonymous-token")
    assert type(error_for(call, status=status, code=None, message="try another")) is error


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, WarmingUp), (502, WarmingUp), (503, WarmingUp), (504, WarmingUp), (500, ServiceError)],
)
def test_only_a_gateway_or_a_refusal_says_that_nothing_was_begun(
    status: int, error: type[ServiceError]
) -> None:
    """Any other failure may come after the agent began to work: a second message would be paid twice."""
    told = error_for(CALL, status=status, code=None, message="the sandbox is warming up")
    assert type(told) is error
    assert told.outcome_unknown is (error is ServiceError)


@pytest.mark.parametrize(
    ("path", "error"), [("/api/render/proxy/lambda", ExportNotInPlan), ("/run_sse", AccessRefused)]
)
def test_a_guest_lacks_the_right_to_render_and_no_other(path: str, error: type[ServiceError]) -> None:
    assert type(error_for(Call("POST", path), status=403, code=None, message="permission denied")) is error


@pytest.mark.parametrize(
    "payload", [{"code": 0}, {"code": 200}, {"code": 201}, {"status": 200}, {"status": 1234}, {"code": "ok"}]
)
def test_what_names_no_failure_is_no_code(payload: object) -> None:
    assert code_of(payload) is None


@pytest.mark.parametrize(
    ("headers", "payload", "wait_s"),
    [
        ({"retry-after": "7"}, {"retry_after": 9}, 7),
        ({}, {"data": {"retryAfter": "9"}}, 9),
        ({"retry-after": "-1"}, {}, None),
        ({"retry-after": "100000"}, {}, None),
        ({"retry-after": "1.5"}, {}, 1.5),
        ({"retry-after": "soon", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"retry_after": 9}, 9),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:40 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, 40),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, None),
        (
            {"retry-after": "Wed, 21 Oct 2026 07:28:40 -0000", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            {"retry_after": 9},
            9,
        ),
        ({}, None, None),
    ],
)
def test_how_long_to_wait_is_read_from_header_or_answer(
    headers: dict[str, str], payload: Any, wait_s: float | None
) -> None:
    error = error_for(CALL, status=429, code=None, message="", headers=headers, payload=payload)
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (TransportError(CALL, sent=False), False),
        (TransportError(CALL, sent=True), True),
        (UnexpectedAnswer(CALL), True),
        (ServiceError(CALL, status=502), True),
        (ServiceError(CALL, status=502, code=5000), False),
        (ServiceError(CALL, status=504, code=504), True),
        (ServiceError(CALL, status=200, code=502), True),
        (ServiceError(CALL, status=400), False),
    ],
)
def test_when_a_request_may_have_been_carried_out(error: Any, unknown: bool) -> None:
    assert error.outcome_unknown is unknown


def test_a_token_at_the_limit_of_a_message_is_not_cut_but_replaced() -> None:
    assert clean(f"{'x' * (MAX_MESSAGE_CHARS - 3)} nmv_secret") == f"{'x' * (MAX_MESSAGE_CHARS - 3)} **"


def test_a_message_has_no_token_and_limited_length() -> None:
    assert clean("Bearer abc.def refused nmv_usr_1 clm_2") == "Bearer *** refused *** ***"
    assert len(clean("x" * 5000)) == 500


def test_an_error_says_which_request_failed_and_how() -> None:
    assert str(AuthError(CALL, "no", code=1001, status=401)) == "no (POST /api/x, HTTP 401, code 1001)"
    assert str(AuthError(CALL)) == "AuthError (POST /api/x)"


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        ({"code": 0, "message": "ok"}, None, "ok"),
        ({"errorCode": "1002", "errorMessage": "gone"}, 1002, "gone"),
        ({"error": {"code": 429, "message": "slow"}}, 429, "slow"),
        ({"detail": {"code": 1002, "message": "gone"}}, 1002, "gone"),
        ({"data": {"code": 2001, "message": "no credits"}}, 2001, ""),
        ({"data": {"code": 2001, "text": "Hi"}}, None, ""),
        ({"errcode": 1001}, 1001, ""),
        ({"Code": 1001}, 1001, ""),
        ({"err": {"code": 1001, "message": "bad token"}}, 1001, "bad token"),
        ("no object", None, ""),
    ],
)
def test_code_and_message_are_found_in_any_field(payload: Any, code: int | None, message: str) -> None:
    assert (code_of(payload), message_of(payload)) == (code, message)


def test_a_timeout_of_the_answer_is_no_proof_that_nothing_was_sent() -> None:
    assert failed_before_sending(httpx.ConnectTimeout(""))
    assert not failed_before_sending(httpx.ReadTimeout(""))


@pytest.mark.parametrize(
    ("status", "message", "payload", "error"),
    [
        (403, "", {"reason": "sandbox is starting"}, WarmingUp),
        (403, "The sandbox is warming up, retry shortly", {}, WarmingUp),
        (502, "sandbox not ready", {}, WarmingUp),
        (503, "", {"error": "Sandbox still starting"}, WarmingUp),
        (503, "Service unavailable", {}, ServiceError),
        (403, "plan upgrade required", {}, PaymentRequired),
        (403, "", {"error": "This feature is not included in your plan"}, PaymentRequired),
        (403, "Invalid token", {}, AuthError),
        (403, "token expired", {}, AuthError),
        (403, "API key revoked", {}, AuthError),
        (403, "", {"detail": {"reason": "Agent is booting"}}, WarmingUp),
        (425, "", {"message": "the workspace is not ready"}, WarmingUp),
        (403, "", {"message": "沙箱正在启动"}, WarmingUp),
        (403, "", "<html><h1>Your sandbox is being created</h1></html>", WarmingUp),
        (503, "", "<html><script>// still starting</script></html>", ServiceError),
        (504, "timed out while initializing the renderer", {}, ServiceError),
        (403, "", {"code": "PLAN_LIMIT"}, PaymentRequired),
        (403, "", {"errors": [{"message": "Pro members only"}]}, PaymentRequired),
        (403, "", {"message": "请升级套餐"}, PaymentRequired),
        (403, "", "<html>requires a paid account</html>", PaymentRequired),
        (403, "", {"message": "Not logged in"}, AuthError),
        (403, "", {"message": "登录已过期"}, AuthError),
        (403, "the planet's explanation", {}, AccessRefused),
        (403, "no", {}, AccessRefused),
        (403, "", None, AccessRefused),
        (418, "teapot", {}, ServiceError),
        (403, "", {"reason": "sandbox_hibernating"}, WarmingUp),
        (403, "", {"message": "沙盒唤醒中"}, WarmingUp),
        (403, "Your environment is being prepared", {}, WarmingUp),
        (503, "sandbox is starting", "sandbox is starting", WarmingUp),
        (403, "", {"message": "not available on the free tier"}, PaymentRequired),
        (403, "", {"message": "请开通VIP"}, PaymentRequired),
        (403, "密钥无效", {}, AuthError),
        (402, "Insufficient credits", {}, NoCredits),
        (402, "", {"code": "insufficient_credits"}, NoCredits),
        (402, "Payment Required", {}, PaymentRequired),
        (400, "Not enough credits: 20 of 100", {}, NoCredits),
        (200, "积分不够", {"code": 2002}, NoCredits),
        (404, "session s1 does not exist", {}, SessionGone),
        (410, "会话已过期", {}, SessionGone),
        (403, "Session expired", {}, SessionGone),
        (403, "Your session has expired, please log in again", {}, AuthError),
        (400, "the session of the browser tool is gone", {}, ServiceError),
        (403, "Your plan does not include sandbox access, upgrade required", {}, PaymentRequired),
        (403, "sandbox limit of the free tier reached", {}, PaymentRequired),
        (403, "", {"reason": "sandbox token expired"}, AuthError),
        (403, "The sandbox could not be started: insufficient credits", {}, NoCredits),
        (403, "沙箱需要会员", {}, PaymentRequired),
        (403, "Your free trial's sandbox is being prepared", {}, WarmingUp),
        (403, "sandbox expired", {}, WarmingUp),
        (403, "cold start in progress", {}, WarmingUp),
        (403, "The runtime is still loading", {}, WarmingUp),
        (403, "服务正在初始化，请稍候", {}, WarmingUp),
        (403, "Only for paying customers", {}, PaymentRequired),
        (403, "Service upgrade in progress, the sandbox will be back", {}, WarmingUp),
        (200, "", {"success": False, "reason": "sandbox is starting"}, WarmingUp),
        (503, "Your video is still being created", {}, ServiceError),
        (200, "", {"success": False, "reason": "the video is being created"}, ServiceError),
        (500, "sandbox is starting", {}, ServiceError),
        (504, "the sandbox timed out while creating the video", {}, ServiceError),
        (503, "warming up", {}, WarmingUp),
        (503, "The agent is still starting", {}, WarmingUp),
        (503, "The agent is starting to render", {}, ServiceError),
    ],
)
def test_what_a_403_means(status: int, message: str, payload: object, error: type[ServiceError]) -> None:
    made = error_for(CALL, status=status, code=None, message=message, payload=payload)
    assert type(made) is error


@pytest.mark.parametrize(
    ("path", "status", "message", "error"),
    [
        ("/api/upload-video/x", 400, "File exceeds the limit of 500 MB", FileSizeRefused),
        ("/api/upload-video/x", 400, "文件过大", FileSizeRefused),
        ("/api/upload-video/x", 422, "Unsupported file type: heic", FileTypeRefused),
        *(
            ("/api/upload-video/x", 409, said, AlreadyUploaded)
            for said in (
                "File already exists",
                "already in your project",
                "duplicate file",
                "文件重复",
                "已上传",
            )
        ),
        *(
            ("/api/upload-video/x", status, said, ServiceError)
            for status, said in (
                (409, "An upload is already in progress"),
                (409, "already in use"),
                (409, "请勿重复提交"),
                (423, "already uploaded by another request"),
                (500, "duplicate key: already exists"),
                (503, "already in queue"),
            )
        ),
        ("/api/render/proxy/lambda", 400, "upgrade your plan to export", ExportNotInPlan),
        ("/api/render/proxy/lambda", 200, "plan upgrade required", ExportNotInPlan),
        ("/api/render/proxy/lambda", 403, "You have no permission to render", ExportNotInPlan),
        ("/api/render/proxy/lambda", 402, "no credits, upgrade", ExportNotInPlan),
        ("/run_sse", 400, "upgrade your client", ServiceError),
        ("/api/render/proxy/lambda", 503, "Service upgrade in progress", ServiceError),
        ("/api/render/proxy/lambda", 503, "系统升级维护中", ServiceError),
        ("/api/render/proxy/lambda", 400, "font not included", ServiceError),
        ("/api/upload-video/x", 402, "", PaymentRequired),
        ("/api/upload-video/x", 402, "no credits left", NoCredits),
    ],
)
def test_what_a_refusal_means_at_a_call(
    path: str, status: int, message: str, error: type[ServiceError]
) -> None:
    assert type(error_for(Call("POST", path), status=status, code=None, message=message)) is error


@pytest.mark.parametrize(
    ("status", "message"), [(409, ""), (400, "Render id already exists"), (200, "duplicate render id")]
)
def test_a_render_id_that_is_taken(status: int, message: str) -> None:
    render = Call("POST", "/api/render/proxy/lambda")
    made = error_for(render, status=status, code=None, message=message)
    assert type(made) is RenderIdTaken


@pytest.mark.parametrize(
    ("said", "says_plan"),
    [("Payment Required", False), ("payment_required: upgrade your plan", True), ("", False)],
)
def test_only_what_the_service_says_of_the_plan_is_told(said: str, says_plan: bool) -> None:
    made = error_for(CALL, status=402, code=None, message=said)
    assert isinstance(made, PaymentRequired)
    assert made.says_plan is says_plan


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("upgrade your plan to generate videos", PaymentRequired),
        ("402 Payment Required", PaymentRequired),
        ("当前套餐不支持", PaymentRequired),
        ("insufficient credits, upgrade your plan", ServiceError),  # told as missing credits
        ("failed to plan the edit", ServiceError),
        ("failed to upgrade the connection to a websocket", ServiceError),
        ("ValueError: Session not found: s1", SessionGone),
        ("ToolError: the browser session not found", ServiceError),
        ("Sandbox is starting", WarmingUp),
        ("403: sandbox is warming up", WarmingUp),
        ("SANDBOX_WARMING_UP", WarmingUp),
        ("Your workspace is still being prepared", WarmingUp),
        ("The agent's container is not ready yet", WarmingUp),
        ("沙箱正在启动，请稍后", WarmingUp),
        ("lost the connection while your video is being created", ServiceError),
        ("The clip is still starting to render", ServiceError),
        ("The draft is ready, but its preview failed", ServiceError),
        ("SandboxError: the tool could not create the file", ServiceError),
        ("the sandbox's ffmpeg failed to start", ServiceError),
        ("沙箱中创建文件失败", ServiceError),
        ("视频正在创建", ServiceError),
    ],
)
def test_what_an_error_within_a_stream_says_of_the_plan(said: str, error: type[ServiceError]) -> None:
    assert type(error_for(Call("POST", "/run_sse"), status=None, code=None, message=said)) is error


@pytest.mark.parametrize(
    ("said", "is_plan"),
    [
        ("Upgrade your plan to export", True),
        ("Export requires a Pro plan", True),
        ("402 Payment Required", True),
        ("VIP members only", True),
        ("Exports are a Pro feature", True),
        ("Not available to free users", True),
        ("当前套餐不支持导出，请升级", True),
        ("Only for pro users", True),
        ("Subscription required", True),
        ("Your plan does not include exports", True),
        ("Exports aren't available on your current plan", True),
        ("Export requires Premium.", True),
        ("导出需要开通会员", True),
        ("付费用户才能导出", True),
        ("Your plan is empty", False),
        ("The plan does not contain any scenes", False),
        ("Edit plan required before rendering", False),
        ("profile pro only supports 10 bit", False),
        ("the video requires a premium codec", False),
        ("生成会员海报失败", False),
        ("VipsJpeg: premature end of JPEG image", False),
        ("failed to upgrade connection to websocket", False),
        ("Encoder had to upgrade to a higher bitrate", False),
        ("Execution plan could not be built", False),
        ("failed to subscribe to progress", False),
        ("font not included", False),
        ("503 Service upgrade in progress", False),
        ("系统升级维护中", False),
    ],
)
def test_a_render_failed_for_the_plan_only_where_nothing_else_is_meant(said: str, is_plan: bool) -> None:
    assert (plan_refusal(said) is not None) is is_plan


def test_the_reason_is_looked_for_in_the_beginning_of_a_long_answer() -> None:
    long = {"items": ["x" * 1000] * 100, "reason": "sandbox is starting"}
    assert type(error_for(CALL, status=403, code=None, message="", payload=long)) is AccessRefused
    assert type(error_for(CALL, status=403, code=None, message="not ready", payload=long)) is WarmingUp


def test_a_documented_code_counts_more() -> None:
    assert type(error_for(CALL, status=403, code=1001, message="sandbox is starting")) is AuthError
