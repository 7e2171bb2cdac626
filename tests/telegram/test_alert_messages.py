"""Messages about problems, with the stand-in of Telegram."""

from bot.jobs.checkpoints import PREPARED, PREPARED_MESSAGE, MessageSend
from bot.jobs.messages import ListMessage, LocalizedMessage, Seconds
from bot.telegram.sending.alert_messages import TelegramAlertMessages
from bot.telegram.sending.located_messages import LocatedMessages
from tests.clocks import passing
from tests.telegram.conftest import Notebook, Telegram

REFUSES = LocalizedMessage("alert.store_refuses")
OVER = LocalizedMessage("alert.over", {"at": "10:40", "lasted": Seconds(180)})


async def test_what_was_said_is_found_again_to_be_edited(telegram: Telegram) -> None:
    ada, checkpoints = await telegram.people.person("Ada"), Notebook()
    await ada.start()
    responder = telegram.responder(telegram.job(ada.chat.id, 1), checkpoints)
    await passing(telegram.clock, responder.send(PREPARED, REFUSES))
    send = checkpoints.load(MessageSend, PREPARED_MESSAGE)
    assert send is not None
    assert send.sent is not None
    assert send.sent.message_id == (await ada.chat.messages())[-1].id


async def test_an_alert_is_sent_without_the_store_and_closed_later(telegram: Telegram) -> None:
    ada = await telegram.people.person("Ada")
    await ada.start()
    alerts = TelegramAlertMessages(telegram.bot, LocatedMessages(telegram.telegram_calls))
    sent = await alerts.send(ada.id, REFUSES, "en")
    assert sent is not None
    for language, over in (("en", "✅ Resolved at 10:40 UTC. It lasted 3 min."), ("zh", "已恢复")):
        await alerts.show(sent, ListMessage(REFUSES, (OVER,)), language)
        (message,) = [one for one in await ada.chat.messages() if one.id == sent.message_id]
        assert over in message.text
    await telegram.people.faults.error("sendMessage", code=403, description="Forbidden: bot was blocked")
    assert await alerts.send(ada.id, REFUSES, "en") is None
