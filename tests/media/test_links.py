import ipaddress
import time
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.media.links import (
    ALLOWED_PORTS,
    MAX_LINKS,
    MEDIA_ENDINGS,
    RefusalReason,
    find_links,
)
from bot.runtime.hosts import MAX_LINK_CHARS

CLIP = "https://example.com/clip.mp4"

MEDIA = [
    (CLIP, CLIP),
    ("HTTPS://Example.COM/Clip.MP4", "https://example.com/Clip.MP4"),
    ("http://example.com/a/b/song.m4a?sig=a%2Fb&x=1", "http://example.com/a/b/song.m4a?sig=a%2Fb&x=1"),
    ("https://example.com/clip.mp4#t=5", CLIP),
    ("https://example.com/clip%2Emp4", "https://example.com/clip%2Emp4"),
    ("https://example.com/my%20clip.mp4", "https://example.com/my%20clip.mp4"),
    ("https://example.com/视频.mp4", "https://example.com/%E8%A7%86%E9%A2%91.mp4"),
    ("https://example.com:8443/a.webm", "https://example.com:8443/a.webm"),
    ("https://example.com./clip.mp4", CLIP),
    ("https://example.com/clip_(1).mp4", "https://example.com/clip_(1).mp4"),
    ("https://example.com/clip.mp4?take=(1)", "https://example.com/clip.mp4?take=(1)"),
    ("https://münchen.de/bild.jpg", "https://xn--mnchen-3ya.de/bild.jpg"),
    ("https://视频.com/a.mp4", "https://xn--cy2a840a.com/a.mp4"),
    ("https://straße.de/a.mp4", "https://xn--strae-oqa.de/a.mp4"),
    ("https://8.8.8.8/a.mp4", "https://8.8.8.8/a.mp4"),
    ("https://[2606:4700:4700::1111]/a.mp4", "https://[2606:4700:4700::1111]/a.mp4"),
    ("https://notyoutube.com/a.mp4", "https://notyoutube.com/a.mp4"),
    ("https://youtube.com.example.net/a.mp4", "https://youtube.com.example.net/a.mp4"),
    ("https://netflux.com/x.com/a.mp4", "https://netflux.com/x.com/a.mp4"),
    ("https://www.dropbox.com/s/abc/clip.mp4?dl=1", "https://www.dropbox.com/s/abc/clip.mp4?dl=1"),
    ("https://i.redd.it/cat.jpg", "https://i.redd.it/cat.jpg"),
    ("https://i.imgur.com/cat.mp4", "https://i.imgur.com/cat.mp4"),
    *((f"https://example.com/a.{kind}", f"https://example.com/a.{kind}") for kind in sorted(MEDIA_ENDINGS)),
]  # fmt: skip


@pytest.mark.parametrize(("link", "sent"), MEDIA)
def test_a_media_link_is_uploaded(link: str, sent: str) -> None:
    found = find_links(link)
    assert (found.media, found.rest, found.refused, found.pages) == ((sent,), "", (), ())


WORDS = [
    "a film about https://example.com",
    "a film about https://example.com/",
    "http://example.com:3000/style as an example",
    "join https://t.me/somechannel or https://t.me/+abcdef",
    "as in tg://settings",
    "youtube.com",
    "somebody@youtube.com/a",
    "example.com/clip.mp4",
    "clip.mp4",
    "www.example.com/clip.mp4",
    "Title: Hello",
    "title:Hello",
    "data:100MB were used",
    "at 12:30 https://...",
    "a text without any address",
    "two  spaces\n\n\nand lines",
    "mailto:me@example.com",
    "",
]


@pytest.mark.parametrize("text", WORDS)
def test_everything_else_stays_in_the_prompt_as_it_is(text: str) -> None:
    found = find_links(text)
    assert (found.media, found.rest, found.refused, found.pages, found.words) == ((), text, (), (), text)


@pytest.mark.parametrize(
    ("text", "page", "words"),
    [
        ("make it like https://example.com/style", "https://example.com/style", "make it like"),
        ("https://example.com/clip.mp4.html", "https://example.com/clip.mp4.html", ""),
        ("https://example.com/mp4 shorter", "https://example.com/mp4", "shorter"),
        ("https://example.com/?file=clip.mp4", "https://example.com/?file=clip.mp4", ""),
        ("https://example.com/a.mp4/info", "https://example.com/a.mp4/info", ""),
        (
            'add a title "https://example.com/shop"',
            "https://example.com/shop",
            'add a title "https://example.com/shop"',
        ),
    ],
)
def test_a_page_may_be_a_file(text: str, page: str, words: str) -> None:
    found = find_links(text)
    assert (found.media, found.rest, found.pages, found.words) == ((), text, (page,), words)


ID = "1aBcDeFgHiJkLmNoPqRsTuVwXyZ"
DRIVE = f"https://drive.google.com/uc?export=download&id={ID}"


@pytest.mark.parametrize(
    ("link", "sent"),
    [
        (f"https://drive.google.com/file/d/{ID}/view?usp=sharing", DRIVE),
        (f"https://drive.google.com/file/u/0/d/{ID}/edit", DRIVE),
        (f"https://drive.google.com/open?id={ID}", DRIVE),
        (f"https://drive.google.com/file/d/{ID}/view?resourcekey=0-a_b", f"{DRIVE}&resourcekey=0-a_b"),
        ("https://www.dropbox.com/s/abc/clip.mp4?dl=0", "https://www.dropbox.com/s/abc/clip.mp4?dl=1"),
        ("https://www.dropbox.com/s/abc/clip.mp4?raw=1", "https://www.dropbox.com/s/abc/clip.mp4?dl=1"),
        ("https://www.dropbox.com/scl/fi/abc/clip?rlkey=x&st=y&dl=0", "https://www.dropbox.com/scl/fi/abc/clip?rlkey=x&st=y&dl=1"),
        ("https://1drv.ms/v/abc", "https://api.onedrive.com/v1.0/shares/u!aHR0cHM6Ly8xZHJ2Lm1zL3YvYWJj/root/content"),
        ("https://a-my.sharepoint.com/:v:/g/personal/x/abc?e=1", "https://a-my.sharepoint.com/:v:/g/personal/x/abc?download=1"),
        (
            "https://a.sharepoint.com/personal/x/_layouts/15/download.aspx?share=abc",
            "https://a.sharepoint.com/personal/x/_layouts/15/download.aspx?share=abc",
        ),
        ("https://pixeldrain.com/u/aB3", "https://pixeldrain.com/api/file/aB3"),
        ("https://github.com/a/b/blob/main/c/clip.mp4", "https://github.com/a/b/raw/main/c/clip.mp4"),
        ("https://commons.wikimedia.org/wiki/File:Sea.webm", "https://commons.wikimedia.org/wiki/Special:FilePath/Sea.webm"),
    ],
)  # fmt: skip
def test_a_share_link_becomes_the_link_to_its_file(link: str, sent: str) -> None:
    found = find_links(f"{link} make it shorter")
    assert (found.media, found.rest, found.refused) == ((sent,), "make it shorter", ())
    assert find_links(f"{link}剪短").media == (sent,)


@pytest.mark.parametrize(
    "link",
    [
        "https://t.me/some_channel/1234",
        "https://t.me/s/some_channel/1234",
        "https://t.me/c/1234567890/12",
        "https://t.me/c/1234567890/5/12?single",
        "https://telegram.me/some_channel/1234",
        "t.me/some_channel/1234",
        "https://t.me/somebody/s/3",
        "tg://resolve?domain=some_channel&post=1234",
        "tg://privatepost?channel=1&post=2",
        "tg:resolve?domain=some_channel&post=1234",
        "https://some_channel.t.me/1234",
        "https://some_channel.t.me/s/1234",
        "https://web.telegram.org/a/#-1001234567890_12",
        "https://telesco.pe/some_channel/1234",
    ],
)
def test_a_link_to_a_message_in_telegram_is_refused(link: str) -> None:
    (refused,) = find_links(f"trim {link} to 5 seconds").refused
    assert (refused.url, refused.reason) == (link, RefusalReason.TELEGRAM_MESSAGE)


@pytest.mark.parametrize("link", ["https://t.me/some_channel", "t.me/+abcdef", "tg://join?invite=abc"])
@pytest.mark.parametrize("words", ["", " trim it to 5 seconds", "\n剪到5秒", "，剪到5秒"])
def test_a_chat_in_telegram_is_refused_before_all_words_and_named_among_them(link: str, words: str) -> None:
    found = find_links(link + words)
    assert [(one.url, one.reason) for one in found.refused] == [(link, RefusalReason.TELEGRAM_MESSAGE)]
    assert found.words.strip("，\n ") == words.strip("，\n ")
    assert find_links(f"join {link}").refused == ()


def test_a_site_is_a_page_where_nothing_is_said_of_it() -> None:
    assert find_links("https://example.com").pages == ("https://example.com",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://youtu.be/abc cut the first second", "cut the first second"),
        ("youtu.be/abc cut the first second", "cut the first second"),
        ("https://youtu.be/abc剪掉第一秒", "剪掉第一秒"),
        ("看 https://b23.tv/x，剪掉第一秒", "看，剪掉第一秒"),
        ("https://youtu.be/abc", ""),
        ('https://youtu.be/abc add the title "youtube.com/@me"', 'add the title "youtube.com/@me"'),
        ("https://t.me/c/1/2剪到5秒", "剪到5秒"),
        ("https://example.com/a.mp4 https://youtu.be/abc shorter", "shorter"),
    ],
)
def test_the_words_are_what_is_left_without_links(text: str, words: str) -> None:
    assert find_links(text).words == words


SITES = [
    ("https://www.youtube.com/watch?v=abc", "YouTube"),
    ("https://youtu.be/abc", "YouTube"),
    ("https://m.YouTube.com/shorts/abc.mp4", "YouTube"),
    ("https://ｙｏｕｔｕｂｅ.com/watch", "YouTube"),
    ("https://youtube.com./watch", "YouTube"),
    ("https://youtube.com:443/watch", "YouTube"),
    ("https://vm.tiktok.com/x/", "TikTok"),
    ("https://v.douyin.com/x/", "Douyin (抖音)"),
    ("https://www.bilibili.com/video/BV1", "Bilibili"),
    ("https://b23.tv/x", "Bilibili"),
    ("https://www.instagram.com/reel/x/", "Instagram"),
    ("https://fb.watch/x/", "Facebook"),
    ("https://x.com/a/status/1", "X"),
    ("https://fxtwitter.com/a/status/1", "X"),
    ("https://twitter.com/a/status/1", "X"),
    ("https://vimeo.com/1", "Vimeo"),
    ("https://mp.weixin.qq.com/s/abc", "WeChat (微信)"),
    ("https://imgur.com/a/abc", "Imgur"),
]


@pytest.mark.parametrize(("link", "site"), SITES)
def test_a_streaming_site_is_refused_by_its_name(link: str, site: str) -> None:
    (refused,) = find_links(f"use {link} please").refused
    assert (refused.url, refused.reason, refused.site) == (link, RefusalReason.STREAMING_SITE, site)


@pytest.mark.parametrize(
    ("link", "site"),
    [
        ("https://open.spotify.com/track/1", "Spotify"),
        ("https://soundcloud.com/a/b", "SoundCloud"),
        ("https://music.apple.com/us/album/1", "Apple Music"),
        ("https://music.youtube.com/watch?v=a", "YouTube Music"),
        ("https://music.163.com/#/song?id=1", "NetEase Music (网易云音乐)"),
    ],
)
def test_a_site_of_songs_is_refused_by_its_name(link: str, site: str) -> None:
    (refused,) = find_links(link).refused
    assert (refused.reason, refused.site) == (RefusalReason.MUSIC_SITE, site)


@pytest.mark.parametrize(
    ("link", "site"),
    [
        ("https://drive.google.com/drive/folders/1aBcDeFgHiJk", "Google Drive"),
        ("https://www.dropbox.com/scl/fo/abc?dl=0", "Dropbox"),
        ("https://1drv.ms/f/abc", "OneDrive"),
        ("https://a-my.sharepoint.com/:f:/g/personal/x/abc?e=1", "SharePoint"),
        ("https://disk.yandex.ru/i/abc", "Yandex Disk"),
        ("https://disk.yandex.com/d/abc", "Yandex Disk"),
        ("https://disk.360.yandex.ru/i/abc", "Yandex Disk"),
        ("https://yadi.sk/d/abc/clip.mp4", "Yandex Disk"),
        ("https://www.mediafire.com/file/abc/clip.mp4/file", "MediaFire"),
        ("https://www.mediafire.com/view/abc/clip.mp4", "MediaFire"),
        ("https://mega.nz/file/abc#key", "MEGA"),
        ("https://pan.baidu.com/s/abc", "Baidu Netdisk (百度网盘)"),
    ],
)
def test_a_share_page_is_refused_by_its_name(link: str, site: str) -> None:
    (refused,) = find_links(link).refused
    assert (refused.reason, refused.site) == (RefusalReason.SHARE_PAGE, site)


@pytest.mark.parametrize(
    ("link", "is_media"),
    [
        ("https://download1500.mediafire.com/x1/abc/clip.mp4", True),
        ("https://store3.gofile.io/download/web/1-2/clip.mov", True),
        ("https://cdn-cf-east.streamable.com/video/mp4/abc.mp4?Expires=1", True),
        # Its name is in the query, so only the service can tell.
        ("https://downloader.disk.yandex.ru/disk/1/2?filename=clip.mp4&disposition=attachment", False),
        ("https://download.wetransfer.com/eu2/1/2?token=3", False),
    ],
)
def test_the_servers_of_a_sites_files_are_no_pages(link: str, is_media: bool) -> None:
    found = find_links(f"{link} make it shorter")
    assert found.refused == ()
    assert (found.media, found.pages) == (((link,), ()) if is_media else ((), (link,)))


def test_a_page_on_such_a_server_is_still_a_page() -> None:
    (refused,) = find_links("https://media.tiktok.com/@ann/video/1").refused
    assert refused.site == "TikTok"


INSIDE = """
    localhost LOCALHOST localhost. a.localhost 127.0.0.1 127.1 127.0.0.1. 127.255.0.9 0.0.0.0 0 10.0.0.1 172.16.0.1
    172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 198.18.0.1 192.0.2.1 224.0.0.1 240.0.0.1
    255.255.255.255 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 017700000001 127.0x0.1 1.2.3.4.5 999.1.1.1
    [::1] [::] [fc00::1] [fd12:3456::1] [fe80::1] [fe80::1%25eth0] [fec0::1] [::ffff:127.0.0.1] [::ffff:8.8.8.8]
    [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [2001:db8::1] [ff02::1] [2001:0:1::1]
    printer.local nas.lan db.internal metadata.google.internal router.home.arpa x.home.arpa intranet corp.intranet
    server metadata 127.0.0.1.nip.io a.10.0.0.1.sslip.io localtest.me x.onion a.test
    １２７.０.０.１ 127。0。0。1 ⑫7.0.0.1 ｌｏｃａｌｈｏｓｔ metadata.azure.com
"""
PRIVATE = INSIDE.split()


@pytest.mark.parametrize("host", PRIVATE)
def test_a_host_inside_a_network_is_refused(host: str) -> None:
    if "。" in host:  # ends a link in Chinese text: what comes before it is a short form of IPv4
        assert [r.reason for r in find_links(f"http://{host}/a.mp4").refused] == [
            RefusalReason.PRIVATE_ADDRESS
        ]
        return
    found = find_links(f"http://{host}/a.mp4")
    assert found.media == ()
    assert [r.reason for r in found.refused] == [RefusalReason.PRIVATE_ADDRESS]
    assert [r.reason for r in find_links(f"http://{host}:8080/").refused] == [RefusalReason.PRIVATE_ADDRESS]


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("https://user:secret@example.com/a.mp4", RefusalReason.HAS_PASSWORD),
        ("https://secret@example.com/a.mp4", RefusalReason.HAS_PASSWORD),
        ("https://example.com:secret@127.0.0.1/a.mp4", RefusalReason.HAS_PASSWORD),
        ("https://api.telegram.org/file/bot123:secret/videos/a.mp4", RefusalReason.HAS_PASSWORD),
        ("https://example.com:22/a.mp4", RefusalReason.BAD_PORT),
        ("https://example.com:6379/a.mp4", RefusalReason.BAD_PORT),
        ("https://example.com:99999/a.mp4", RefusalReason.BROKEN),
        ("https://user:secret@exa mple/a.mp4".replace(" ", "%20"), RefusalReason.BROKEN),
        ("http://[::1/a.mp4", RefusalReason.BROKEN),
        ("https://exa..mple.com/a.mp4", RefusalReason.BROKEN),
        ("https://a\u200db.de/a.mp4", RefusalReason.BROKEN),
        (f"https://example.com/{'a' * MAX_LINK_CHARS}.mp4", RefusalReason.TOO_LONG),
        (f"https://example.com/{'视' * 600}.mp4", RefusalReason.TOO_LONG),
        ("file:///etc/passwd", RefusalReason.BAD_SCHEME),
        ("ftp://example.com/a.mp4", RefusalReason.BAD_SCHEME),
        ("ftp://user:secret@example.com/a.mp4", RefusalReason.BAD_SCHEME),
        (f"https://user:secret@example.com/{'a' * MAX_LINK_CHARS}.mp4", RefusalReason.TOO_LONG),
        ("data:video/mp4;base64,AAAA", RefusalReason.BAD_SCHEME),
        ("javascript:alert(1)", RefusalReason.BAD_SCHEME),
        ("rtsp://example.com/a.mp4", RefusalReason.BAD_SCHEME),
    ],
    ids=lambda value: str(value)[:40],
)
def test_other_links_that_are_refused(link: str, reason: RefusalReason) -> None:
    found = find_links(link)
    (refused,) = found.refused
    assert refused.reason == reason
    assert found.media == ()
    assert len(refused.url) <= MAX_LINK_CHARS
    assert "secret" not in refused.url


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"{CLIP} make it shorter", "make it shorter"),
        (f"make it shorter {CLIP}", "make it shorter"),
        (f"make {CLIP} shorter", "make shorter"),
        (f"make ({CLIP}) shorter", "make shorter"),
        (f"make {CLIP}, please, shorter.", "make, please, shorter."),
        (f"Shorten {CLIP}.", "Shorten."),
        (f"Can you shorten {CLIP}?", "Can you shorten?"),
        (f"{CLIP}, make it shorter", "make it shorter"),
        (f"{CLIP}\nmake it shorter", "make it shorter"),
        (f"make it\n{CLIP}\nshorter", "make it\nshorter"),
        (f"<{CLIP}>", ""),
        (f"{CLIP} {CLIP}", ""),
        (f"把{CLIP}剪短", "把剪短"),
        (f"{CLIP}剪短一点", "剪短一点"),
        (f"{CLIP}?a=1剪短一点", "剪短一点"),
        (f"请剪短：{CLIP}。", "请剪短：。"),
        (f"keep  two spaces, {CLIP} and\n\n\nlines", "keep  two spaces, and\n\n\nlines"),
        (f"{CLIP} like https://example.com/style", "like https://example.com/style"),
    ],
)  # fmt: skip
def test_the_rest_is_the_prompt(text: str, rest: str) -> None:
    found = find_links(text)
    assert found.rest == rest
    assert len(found.media) == 1
    assert found.media[0].startswith(CLIP)


def test_a_refused_link_stays_in_the_prompt() -> None:
    text = "cut it like https://youtu.be/abc does"
    assert find_links(text).rest == text


def test_each_link_counts_once_and_in_order() -> None:
    found = find_links(
        "https://a.com/2.mp4 https://a.com/1.mp4 https://A.com/2.mp4 https://youtu.be/a https://youtu.be/a"
    )
    assert found.media == ("https://a.com/2.mp4", "https://a.com/1.mp4")
    assert len(found.refused) == 1


def test_more_media_than_one_upload_takes_is_refused() -> None:
    links = [f"https://example.com/{n}.mp4" for n in range(MAX_LINKS + 2)]
    found = find_links(" ".join(links))
    assert found.media == tuple(links[:MAX_LINKS])
    assert [(r.url, r.reason) for r in found.refused] == [
        (link, RefusalReason.TOO_MANY) for link in links[MAX_LINKS:]
    ]
    assert found.rest == " ".join(links[MAX_LINKS:])


@pytest.mark.parametrize("between", ["和", "，", ",", ";", "", "剪到3秒再接", "\n"])
def test_links_without_a_space_in_between_are_two(between: str) -> None:
    first, second = "https://example.com/a.mp4", "https://example.com/海.mov"
    found = find_links(f"{first}{between}{second}拼起来")
    assert found.media == (first, "https://example.com/%E6%B5%B7.mov")
    refused = find_links(f"https://youtu.be/a{between or ','}{first}拼起来")
    assert (refused.media, [one.url for one in refused.refused]) == ((first,), ["https://youtu.be/a"])
    inside = f"https://example.com/get?url={first}"
    assert find_links(inside).media + find_links(inside).pages == (inside,)


def test_so_many_pages_are_told_and_no_more() -> None:
    pages = [f"https://example.com/page{n}" for n in range(MAX_LINKS + 1)]
    assert find_links(" ".join(pages)).pages == tuple(pages[:MAX_LINKS])


def test_a_link_that_is_repeated_is_not_one_too_many() -> None:
    links = [f"https://example.com/{n}.mp4" for n in range(MAX_LINKS)]
    found = find_links(" ".join([*links, links[0]]))
    assert (found.media, found.refused, found.rest) == (tuple(links), (), "")


def test_a_lookalike_host_is_sent_in_ascii() -> None:
    (sent,) = find_links("https://уoutube.com/a.mp4").media  # a Cyrillic letter
    assert urlsplit(sent).hostname == "xn--outube-vrf.com"


HOSTS = st.one_of(
    st.sampled_from([*PRIVATE, "example.com", "youtube.com", "a@b", "a:b@c.de", "[", "]", "münchen.de", ""]),
    st.text(max_size=12),
    st.ip_addresses().map(lambda ip: f"[{ip}]" if ip.version == 6 else str(ip)),
    st.integers(0, 2**32).map(str),
)
LINKS = st.builds(
    lambda scheme, host, port, path: f"{scheme}{host}{port}{path}",
    st.sampled_from(["http://", "https://", "HTTP://", "http:/", "http:", "ftp://", "//", "http:///", "http:\\\\"]),
    HOSTS,
    st.sampled_from(["", ":80", ":8080", ":22", ":x", ":99999", ":"]),
    st.sampled_from(["/a.mp4", "/a.MOV?x=1#y", "", "/", "/视频.mp4", ".mp4", "/%00.mp4", "/../a.mp4", "/a.mp4加字幕"]),
)  # fmt: skip


@given(
    st.lists(
        st.one_of(LINKS, st.text(max_size=20), st.sampled_from([" ", "\n", "(", ")", ", ", "。"])), max_size=8
    )
)
def test_only_public_hosts_are_uploaded_whatever_the_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = find_links(text)
    assert len(found.media) <= MAX_LINKS
    assert not {refused.url for refused in found.refused} & set(found.media)
    left = iter(text)
    assert all(char in left for char in found.rest if char != " ")
    if not found.media:
        assert found.rest == text
    for link in found.media:
        assert link.isascii()
        assert link == find_links(link).media[0]
        parts = urlsplit(link)
        assert parts.scheme in ("http", "https")
        assert parts.username is None
        assert parts.port is None or parts.port in ALLOWED_PORTS
        assert parts.hostname
        assert "." in parts.hostname or ":" in parts.hostname
        try:
            address = ipaddress.ip_address(parts.hostname)
        except ValueError:
            assert not parts.hostname.rpartition(".")[2].isdigit()
        else:
            assert address.is_global


@pytest.mark.parametrize(
    "text",
    [
        "http://" * 5000,
        "https://a.mp4" * 3000,
        "https://example.com/" + ".mp4" * 9000,
        "https://example.com/a.mp4?" + ".mp4?" * 9000 + "剪",
        "https://example.com/" + "(" * 20000 + ")" * 20000,
        "https://" + "a." * 20000 + "com/a.mp4",
        "https://" + "é" * 2000 + ".com/a.mp4",
        "https://a.com/1.mp4 " * 4000,
        "https://youtu.be/a " * 4000,
        "".join(f"https://youtu.be/{n} " for n in range(4000)),
        "a" * 40000 + ":",
        " " * 40000 + "https://a.com/1.mp4" + " " * 40000,
    ],
    ids=lambda text: text[:16],
)
def test_hostile_texts_take_little_time(text: str) -> None:
    started = time.process_time()
    find_links(text)
    assert time.process_time() - started < 1.0


def test_an_address_in_quotation_marks_is_a_title() -> None:
    found = find_links('add the title "youtube.com/@me"')
    assert (found.refused, found.pages, found.rest) == ((), (), 'add the title "youtube.com/@me"')
    assert find_links('cut "https://youtu.be/abc"').refused
