"""Groups, forums, channels and unusual senders: what reaches the bot."""

from typing import Any

from .conftest import Sandbox


async def received(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The updates since the last time, without their ids."""
    updates = (await sandbox.call("getUpdates"))["result"]
    if updates:
        await sandbox.call("getUpdates", offset=updates[-1]["update_id"] + 1)
    return [{k: v for k, v in update.items() if k != "update_id"} for update in updates]


async def test_privacy_mode(sandbox: Sandbox) -> None:
    people = sandbox.people
    ada, bob = await people.person("Ada"), await people.person("Bob")
    group = await people.new_chat("supergroup", "Team", ada, bob)
    sent = (await sandbox.call("sendMessage", chat_id=group.id, text="hello"))["result"]
    await ada.say("nothing for the bot", group)
    await ada.say("hi @sandbox_bot", group)
    await ada.say("/edit@other_bot it", group)
    video = await ada.send_file("video", b"not really a video", group, caption="look")
    assert await received(sandbox) == []
    await ada.say("/edit make it short", group, reply_to=video.id)
    await bob.say("/edit@sandbox_bot make it short", group)
    await bob.say("thanks", group, reply_to=sent["message_id"])
    first, second, third = await received(sandbox)
    assert first["message"]["reply_to_message"]["video"]["file_size"] == 18
    assert second["message"]["text"].startswith("/edit@")
    assert second["message"]["from"]["id"] == bob.id
    assert third["message"]["reply_to_message"]["from"]["is_bot"]
    await people.ask("set_bot", privacy=False)
    await ada.say("all of it", group)
    assert [update["message"]["text"] for update in await received(sandbox)] == ["all of it"]


async def test_topics(sandbox: Sandbox) -> None:
    people = sandbox.people
    ada = await people.person()
    forum = await people.new_chat("supergroup", "Forum", ada, bot="administrator", is_forum=True)
    clips = await forum.topic(ada, "Clips")
    await ada.say("in general", forum)
    await ada.say("in clips", forum, thread=clips, reply_to_topic=True)
    created, general, topical = [update["message"] for update in await received(sandbox)]
    assert created["forum_topic_created"]["name"] == "Clips"
    assert created["message_thread_id"] == clips
    assert "message_thread_id" not in general
    assert "is_topic_message" not in general
    assert topical["is_topic_message"]
    assert topical["message_thread_id"] == clips
    assert "forum_topic_created" in topical["reply_to_message"]
    body = await sandbox.call("sendMessage", chat_id=forum.id, text="a", message_thread_id=clips)
    assert body["result"]["is_topic_message"]
    assert body["result"]["message_thread_id"] == clips
    for wrong in (1, 999):
        words = await sandbox.refusal("sendMessage", chat_id=forum.id, text="a", message_thread_id=wrong)
        assert words == "Bad Request: message thread not found"


async def test_channels_and_their_discussion(sandbox: Sandbox) -> None:
    people = sandbox.people
    ada = await people.person()
    channel = await people.new_chat("channel", "News", ada, bot="administrator")
    group = await people.new_chat("supergroup", "Talk", ada, bot="administrator")
    await people.link(channel, group)
    await ada.say("today", channel)
    post, repost = await received(sandbox)
    assert post["channel_post"]["sender_chat"]["id"] == channel.id
    assert "from" not in post["channel_post"]
    forwarded = repost["message"]
    assert forwarded["is_automatic_forward"]
    assert forwarded["from"]["id"] == 777000
    assert forwarded["forward_origin"]["type"] == "channel"
    assert forwarded["sender_chat"]["id"] == channel.id


async def test_only_admins_who_may_post_write_in_a_channel(sandbox: Sandbox) -> None:
    people = sandbox.people
    ada = await people.person()
    channel = await people.new_chat("channel", "News", ada, bot="")
    await channel.set_member(people.bot, "administrator", by=ada)
    (update,) = await received(sandbox)
    assert update["my_chat_member"]["from"]["id"] == ada.id
    assert update["my_chat_member"]["new_chat_member"]["can_post_messages"] is True
    assert (await sandbox.call("sendMessage", chat_id=channel.id, text="today"))["ok"]
    for status, rights in (("administrator", {"can_post_messages": False}), ("member", {})):
        await channel.set_member(people.bot, status, by=ada, **rights)
        refused = await sandbox.call("sendMessage", chat_id=channel.id, text="today")
        assert refused["description"] == "Bad Request: need administrator rights in the channel chat"


async def test_unusual_senders(sandbox: Sandbox) -> None:
    people = sandbox.people
    ada = await people.person()
    group = await people.new_chat("supergroup", "Talk", ada, bot="administrator")
    channel = await people.new_chat("channel", "News", ada, bot="")
    await ada.say("as nobody", group, sent_as="anonymous")
    await ada.say("as a channel", group, sent_as=str(channel.id))
    anonymous, voiced = [update["message"] for update in await received(sandbox)]
    assert (anonymous["from"]["id"], anonymous["sender_chat"]["id"]) == (1087968824, group.id)
    assert (voiced["from"]["id"], voiced["sender_chat"]["id"]) == (136817688, channel.id)


async def test_members_and_rights(sandbox: Sandbox) -> None:
    people = sandbox.people
    ada, bob = await people.person("Ada"), await people.person("Bob")
    group = await people.new_chat("supergroup", "Talk", ada, bot="")
    await group.add_bot(by=ada)
    member, service = await received(sandbox)
    assert member["my_chat_member"]["new_chat_member"]["status"] == "member"
    assert service["message"]["new_chat_members"][0]["id"] == people.bot
    await group.set_member(bob, "member")
    assert (await received(sandbox))[0]["message"]["new_chat_members"][0]["id"] == bob.id
    body = await sandbox.call("getChatMember", chat_id=group.id, user_id=ada.id)
    assert body["result"]["status"] == "creator"
    assert (await sandbox.call("getChatMemberCount", chat_id=group.id))["result"] == 3
    administrators = (await sandbox.call("getChatAdministrators", chat_id=group.id))["result"]
    assert [one["user"]["id"] for one in administrators] == [ada.id]
    await group.set_member(people.bot, "restricted", by=ada)
    words = await sandbox.refusal("sendMessage", chat_id=group.id, text="a")
    assert words == "Bad Request: not enough rights to send text messages to the chat"
    assert (await sandbox.call("leaveChat", chat_id=group.id))["ok"]
    words = await sandbox.refusal("sendMessage", chat_id=group.id, text="a")
    assert words == "Forbidden: bot is not a member of the supergroup chat"


async def test_people_edit_and_delete(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    said = await ada.say("tirm it")
    await ada.edit(said, text="trim it")
    _, edited = await received(sandbox)
    assert edited["edited_message"]["text"] == "trim it"
    assert edited["edited_message"]["edit_date"]
    video = await ada.send_file("video", b"v", caption="one")
    await ada.edit(video, caption="two")
    _, edited = await received(sandbox)
    assert edited["edited_message"]["caption"] == "two"
    assert "video" in edited["edited_message"]
    await ada.delete(said)
    assert [one.id for one in await ada.chat.messages()] == [video.id]
    assert await received(sandbox) == []


async def test_message_ids_as_in_one_mailbox(sandbox: Sandbox) -> None:
    people = sandbox.people
    ada, bob = await people.person("Ada"), await people.person("Bob")
    one, two = await ada.say("a"), await bob.say("b")
    group = await people.new_chat("group", "G", ada)
    three = await ada.say("c", group)
    assert [one.id, two.id, three.id] == [1, 2, 3]
    supergroup = await people.new_chat("supergroup", "S", ada)
    assert (await ada.say("d", supergroup)).id == 2


async def test_raw_updates_and_forged_data(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    await sandbox.people.ask("send_update", update={"poll": {"id": "1"}})
    await sandbox.call("sendMessage", chat_id=ada.id, text="x")
    await ada.press(await ada.chat.wait(), data="forged", timeout_s=0)
    raw, forged = await received(sandbox)
    assert raw == {"poll": {"id": "1"}}
    assert forged["callback_query"]["data"] == "forged"
