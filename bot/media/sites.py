"""The table of sites whose links lead to pages, not to files: ``sites.toml``."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

SiteGroup = Literal["video", "music", "share", "telegram", "files"]


@dataclass(frozen=True, slots=True)
class Site:
    """A site."""

    name: str  # as people know it
    group: SiteGroup  # what its links lead to


def find_site(host: str) -> Site | None:
    """Return the site that a host belongs to; a subdomain that is a site of its own goes first."""
    table = _sites()
    labels = host.split(".")
    return next((site for at in range(len(labels)) if (site := table.get(".".join(labels[at:])))), None)


@functools.cache
def _sites() -> Mapping[str, Site]:
    groups = tomllib.loads(Path(__file__).with_name("sites.toml").read_text("utf-8"))
    return {
        domain: Site(name, cast("SiteGroup", group))
        for group, sites in groups.items()
        for name, domains in sites.items()
        for domain in domains
    }
