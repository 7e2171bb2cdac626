from redis.crc import key_slot

from bot.store import keys


def test_a_chats_keys_share_a_slot_of_a_cluster() -> None:
    names = keys.chat_key("-1:2"), keys.results_key("-1:2")
    assert len(set(names)) == len(names)
    assert len({key_slot(name.encode()) for name in names}) == 1
