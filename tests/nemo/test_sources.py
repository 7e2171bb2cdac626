from typing import Any

import pytest

from bot.nemo.project_files import with_public_sources

DRAFT = {"t": [{"tt": 0, "sg": [{"src": "/mnt/userdata/beach.mp4", "name": "beach"}]}], "d": 3000}
CDN = "https://cdn.example/beach.mp4"


@pytest.mark.parametrize(
    "infos",
    [
        [{"filename": "beach.mp4", "cdn_url": CDN}],
        {"other.mp4": {"duration": 2}, "beach.mp4": {"cdn_url": CDN, "duration": 3}},
        {"files": [{"path": "/mnt/userdata/beach.mp4", "cdn_url": CDN}]},
        [{"name": "beach.mp4", "url": CDN}],
        [
            {"name": "beach.mp4", "url": CDN},
            {"name": "https://other.example/beach.mp4", "url": "https://other.example/x"},
        ],
    ],
)
def test_a_path_of_the_agents_machine_becomes_an_address(infos: Any) -> None:
    made = with_public_sources(DRAFT, infos, None)
    assert made["t"][0]["sg"][0] == {"src": CDN, "name": "beach"}
    assert DRAFT["t"][0]["sg"][0]["src"] == "/mnt/userdata/beach.mp4"  # type: ignore[index]


@pytest.mark.parametrize(
    "infos", [None, [], [{"filename": "other.mp4", "cdn_url": CDN}], [{"filename": "beach.mp4"}]]
)
def test_what_is_not_known_goes_out_as_it_came(infos: Any) -> None:
    assert with_public_sources(DRAFT, infos) == DRAFT


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("/mnt/userdata/my%20clip.mp4", "my clip.mp4"),
        ("/mnt/userdata/my clip.mp4", "/mnt/userdata/my%20clip.mp4"),
        ("file:///mnt/userdata/beach.mp4", "beach.mp4"),
        ("file://localhost/mnt/userdata/my%20clip.mp4", "my clip.mp4"),
        ("file:/mnt/userdata/beach.mp4", "/mnt/userdata/beach.mp4"),
    ],
)
def test_a_path_is_known_in_each_way_of_writing(path: str, listed: str) -> None:
    assert with_public_sources({"src": path}, [{"path": listed, "cdn_url": CDN}]) == {"src": CDN}


def test_files_of_one_name_are_told_apart_by_their_paths() -> None:
    paths = ("/mnt/userdata/a/beach.mp4", "/mnt/userdata/b/beach.mp4")
    infos = [{"path": path, "cdn_url": f"{CDN}?{number}"} for number, path in enumerate(paths)]
    assert with_public_sources(list(paths), infos) == [f"{CDN}?0", f"{CDN}?1"]


def test_a_file_in_a_folder_does_not_replace_one_that_is_listed_by_the_name_alone() -> None:
    infos = [
        {"filename": "beach.mp4", "cdn_url": CDN},
        {"path": "/mnt/userdata/generated/beach.mp4", "cdn_url": "https://cdn.example/generated.mp4"},
    ]
    assert with_public_sources({"src": "/mnt/userdata/beach.mp4"}, infos) == {"src": CDN}
