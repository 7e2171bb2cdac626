"""The base of all values that are stored as JSON."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class StoredModel(BaseModel):
    """A value that never changes; a field that another release has added is ignored."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    def changed(self, **changes: Any) -> Self:
        """Return a copy in which some fields have other values.

        Raises:
            TypeError: There is no such field.
        """
        if unknown := changes.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")
        return self.model_copy(update=changes)
