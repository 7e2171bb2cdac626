"""Links to the file itself, for share links of hosts that document such a form.

Yandex Disk documents none: its API answers with JSON that names a link for some hours, and only
the file itself is of use to NemoVideo.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlencode, urlunsplit


def direct_link(site: str, parts: SplitResult) -> str | None:
    """Return the link to the file behind a share link, or ``None`` if there is no such form.

    Args:
        site: The site's name in ``sites.toml``, or the host.
        parts: The link.
    """
    make = _FORMS.get(site)
    return None if make is None else make(parts)


def _google_drive(parts: SplitResult) -> str | None:
    # As `webContentLink` of the Drive API has it: https://developers.google.com/workspace/drive/api/guides/manage-downloads
    query = parse_qs(parts.query)
    file = re.match(r"(?:/a/[^/]+)?/file(?:/u/\d+)?/d/([\w-]+)", parts.path)
    named = query.get("id", [""])[0] if parts.path in ("/open", "/uc") else ""
    file_id = file[1] if file else named
    if parts.hostname != "drive.google.com" or not re.fullmatch(r"[\w-]{10,}", file_id):
        return None
    fields = {"export": "download", "id": file_id}
    if key := query.get("resourcekey"):
        fields["resourcekey"] = key[0]
    return f"https://drive.google.com/uc?{urlencode(fields)}"


def _dropbox(parts: SplitResult) -> str | None:
    # https://help.dropbox.com/share/force-download
    if not parts.path.startswith(("/s/", "/scl/fi/")):
        return None  # A folder, or no file.
    fields = {key: values[0] for key, values in parse_qs(parts.query).items() if key not in ("dl", "raw")}
    return urlunsplit(("https", parts.netloc, parts.path, urlencode(fields | {"dl": "1"}), ""))


def _onedrive(parts: SplitResult) -> str | None:
    # https://learn.microsoft.com/en-us/onedrive/developer/rest-api/api/shares_get
    if parts.path in ("", "/") or re.match(r"/f/", parts.path):
        return None  # A folder.
    encoded = base64.urlsafe_b64encode(urlunsplit(parts).encode()).decode().rstrip("=")
    return f"https://api.onedrive.com/v1.0/shares/u!{encoded}/root/content"


def _sharepoint(parts: SplitResult) -> str | None:
    if parts.path.lower().endswith("/_layouts/15/download.aspx"):
        return urlunsplit(parts)
    # Links to a file begin with a letter for its kind: video, image, or anything else; f is a folder.
    if not re.match(r"/:[viu]:/", parts.path):
        return None
    return urlunsplit(("https", parts.netloc, parts.path, "download=1", ""))


def _box(parts: SplitResult) -> str | None:
    # https://support.box.com/hc/en-us/articles/360043697554-Configuring-Individual-Shared-Link-Settings
    return urlunsplit(parts) if parts.path.startswith("/shared/static/") else None


def _pixeldrain(parts: SplitResult) -> str | None:
    # https://pixeldrain.com/api
    file = re.fullmatch(r"/(?:u|api/file)/(\w+)/?", parts.path)
    return f"https://pixeldrain.com/api/file/{file[1]}" if file else None


def _github(parts: SplitResult) -> str | None:
    # https://docs.github.com/en/repositories/working-with-files/using-files/viewing-and-understanding-files
    path = re.sub(r"^(/[^/]+/[^/]+)/blob/", r"\1/raw/", parts.path)
    return None if path == parts.path else urlunsplit(("https", "github.com", path, "", ""))


def _commons(parts: SplitResult) -> str | None:
    # https://commons.wikimedia.org/wiki/Commons:FAQ#What_is_Special:FilePath
    path = re.sub(r"^/wiki/File:", "/wiki/Special:FilePath/", parts.path)
    return None if path == parts.path else urlunsplit(("https", parts.netloc, path, "", ""))


_FORMS: Final[Mapping[str, Callable[[SplitResult], str | None]]] = {
    "Google Drive": _google_drive,
    "Dropbox": _dropbox,
    "OneDrive": _onedrive,
    "SharePoint": _sharepoint,
    "Box": _box,
    "Pixeldrain": _pixeldrain,
    "github.com": _github,
    "commons.wikimedia.org": _commons,
}
