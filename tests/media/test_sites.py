import tomllib
from pathlib import Path
from typing import get_args

import pytest

from bot.media import links
from bot.media.links import SiteGroup, find_site
from bot.runtime.hosts import ascii_host

TABLE: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(links.__file__).with_name("sites.toml").read_text("utf-8")
)
DOMAINS = [domain for group in TABLE.values() for domains in group.values() for domain in domains]


def test_every_site_is_in_a_known_group() -> None:
    assert set(TABLE) == set(get_args(SiteGroup))


def test_no_domain_stands_twice() -> None:
    assert len(DOMAINS) == len(set(DOMAINS))


def test_a_domain_is_written_as_hosts_are_compared() -> None:
    assert [one for one in DOMAINS if one != ascii_host(one) or "/" in one or "." not in one] == []


@pytest.mark.parametrize(
    ("host", "name", "group"),
    [
        ("youtube.com", "YouTube", "video"),
        ("m.youtube.com", "YouTube", "video"),
        ("music.youtube.com", "YouTube Music", "music"),
        ("i.imgur.com", "Imgur", "files"),
    ],
)
def test_the_nearest_domain_tells_the_site(host: str, name: str, group: str) -> None:
    site = find_site(host)
    assert site is not None
    assert (site.name, site.group) == (name, group)


@pytest.mark.parametrize("host", ["notyoutube.com", "youtube.com.example.net", "com", ""])
def test_other_hosts_are_no_sites(host: str) -> None:
    assert find_site(host) is None
