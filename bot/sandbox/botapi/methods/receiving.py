"""Methods for what comes to the bot: updates, webhooks, files and button presses."""

import ipaddress
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.botapi.context import Context, method
from bot.sandbox.botapi.errors import ApiError, bad_request
from bot.sandbox.botapi.files import CLOUD_DOWNLOAD_BYTES
from bot.sandbox.botapi.updates import Webhook

_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_CALLBACK_LIFE = timedelta(minutes=15)
"""How long Telegram waits for the answer to a button press; its documentation gives no figure."""


def _allowed(context: Context) -> None:
    given = context.params.json("allowed_updates", "allowed updates")
    if isinstance(given, list):
        context.bot.queue.allowed = [str(kind) for kind in given] or None


@method("getUpdates")
async def get_updates(context: Context) -> Any:
    """Return updates by long polling."""
    params = context.params
    _allowed(context)
    return await context.bot.queue.poll(
        params.integer("offset"), params.integer("limit", 100), params.number("timeout") or 0
    )


@method("setWebhook")
async def set_webhook(context: Context) -> Any:
    """Deliver updates by POST from now on; an empty URL means ``deleteWebhook``."""
    params, queue = context.params, context.bot.queue
    url = params.text("url")
    if not url:
        return await delete_webhook(context)
    if not _acceptable(url):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    secret = params.text("secret_token")
    if not _SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    _allowed(context)
    if params.flag("drop_pending_updates"):
        queue.pending.clear()
    certificate = params.uploads.get("certificate")
    queue.set_webhook(
        Webhook(
            url,
            secret,
            min(100, max(1, params.integer("max_connections", 40))),
            certificate.path.read_text() if certificate else "",
        ),
        context.answered,
    )
    return True


def _acceptable(url: str) -> bool:
    """Return whether a URL is https, which Telegram requires, or http on loopback."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


@method("deleteWebhook")
async def delete_webhook(context: Context) -> Any:
    """Go back to polling."""
    if context.params.flag("drop_pending_updates"):
        context.bot.queue.pending.clear()
    context.bot.queue.set_webhook(None)
    return True


@method("getWebhookInfo")
async def get_webhook_info(context: Context) -> Any:
    """Return the state of the delivery."""
    queue = context.bot.queue
    webhook = queue.webhook
    info: dict[str, Any] = {
        "url": webhook.url if webhook else "",
        "has_custom_certificate": bool(webhook and webhook.certificate),
        "pending_update_count": len(queue.pending),
    }
    if webhook is not None:
        info |= {"max_connections": webhook.max_connections, "ip_address": "127.0.0.1"}
        if webhook.last_error_date:
            info |= {
                "last_error_date": webhook.last_error_date,
                "last_error_message": webhook.last_error_message,
            }
    if queue.allowed:
        info["allowed_updates"] = queue.allowed
    return info


@method("logOut")
async def log_out(context: Context) -> Any:
    """Log the bot out of the cloud server, whose methods answer 400 from now on."""
    if not context.world.local:
        context.bot.logged_out = True
    return True


@method("close")
async def close(context: Context) -> Any:
    """Close the bot's instance before it moves to another server."""
    return True


@method("getFile")
async def get_file(context: Context) -> Any:
    """Return where a file can be downloaded."""
    world, params = context.world, context.params
    if not params.text("file_id"):
        raise bad_request("file_id not specified")
    gone = bad_request("wrong file_id or the file is temporarily unavailable")
    try:
        file = world.files.find(params.text("file_id"), context.bot.id)
    except ApiError:
        raise gone from None
    if not file.path.exists():
        raise gone
    if not world.local and file.size > CLOUD_DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "file_path": str(world.files.local_copy(file, context.bot.token)) if world.local else file.file_path,
    }


@method("answerCallbackQuery")
async def answer_callback_query(context: Context) -> Any:
    """Answer a button press with a toast."""
    world, params = context.world, context.params
    callback = world.callbacks.get(params.text("callback_query_id"))
    if (
        callback is None
        or callback.bot_id != context.bot.id
        or callback.answer is not None
        or world.clock.now() - callback.at > _CALLBACK_LIFE
    ):
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(params.text("text")) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    callback.answer = {
        "text": params.text("text"),
        "show_alert": params.flag("show_alert"),
        "url": params.text("url"),
    }
    world.changes.notify()
    return True
