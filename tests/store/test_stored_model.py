"""Stored values: a copy has the values of fields that there are."""

import pytest

from bot.chats.brand import Brand


def test_a_copy_has_other_values_only_for_fields_that_there_are() -> None:
    brand = Brand(ratio="9:16")
    assert brand.changed(ratio="1:1") == Brand(ratio="1:1")
    with pytest.raises(TypeError, match="ration"):
        brand.changed(ration="1:1")
