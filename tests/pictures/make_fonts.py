"""Cut the two fonts of the pictures down to what chats write; run by hand, never by the bot.

The originals are Google's static Medium weights, as their npm packages hold them:

- ``@expo-google-fonts/noto-sans-sc`` 0.4.3, ``500Medium/NotoSansSC_500Medium.ttf`` (Noto Sans SC 2.004)
- ``@expo-google-fonts/noto-emoji`` 0.4.7, ``500Medium/NotoEmoji_500Medium.ttf`` (Noto Emoji 3.006)

Both are under the SIL Open Font License 1.1, whose text lies in ``bot/pictures/fonts``. To make them again::

    uv run --with fonttools==4.68.0 python tests/pictures/make_fonts.py NotoSansSC_500Medium.ttf NotoEmoji_500Medium.ttf
"""

import sys
from pathlib import Path

from fontTools import subset  # type: ignore[import-not-found, unused-ignore]  # asked for above
from fontTools.ttLib import TTFont  # type: ignore[import-not-found, unused-ignore]  # asked for above

FOLDER = Path(__file__).parents[2] / "bot" / "pictures" / "fonts"

# Latin with its accents, punctuation, currencies, arrows, kana, full-width forms.
RANGES = (
    (0x0020, 0x007F),
    (0x00A0, 0x0180),
    (0x1EA0, 0x1EFA),
    (0x2010, 0x2028),
    (0x2030, 0x205F),
    (0x20A0, 0x20C0),
    (0x2190, 0x2200),
    (0x3000, 0x3100),
    (0xFF00, 0xFFF0),
)
# In Big5 the common traditional characters stand before the rare ones.
BIG5_RARE = 0xC7
# Of JIS X 0208 the level of common characters: two bytes in EUC, from this lead byte to that.
JIS_COMMON = range(0xB0, 0xD0)
# In no common set, and yet in names, on the net and in what Cantonese speakers write.
OTHERS = (
    "囧喆堃珺玥昇翀晞旻燚赟烜瑄曈珩璟祎翊骉犇垚槑囍嬲靐焜琎瑀玙瑢頔颋飏鋆镕锜"
    "邨佺俣伃冇佢哋嘅咗嚟喺咁嘢啲唔嘥攞睇啱"
)
# A Chinese font has these as wide as a character, which tears "don’t" apart; it holds narrow ones, too.
NARROW = "‘’“”…"


def common_characters() -> set[int]:
    """The ranges, all of GB 2312, the common characters of Big5 and JIS, and the others."""
    found = {code for start, end in RANGES for code in range(start, end)} | set(map(ord, OTHERS))
    for code in range(0x80, 0x10000):
        simplified = chr(code).encode("gb2312", "ignore")
        traditional = chr(code).encode("big5", "ignore")
        japanese = chr(code).encode("euc_jp", "ignore")
        common = traditional and traditional[0] < BIG5_RARE
        if simplified or common or (len(japanese) == 2 and japanese[0] in JIS_COMMON):
            found.add(code)
    return found


def narrow_punctuation(font: TTFont) -> None:
    """Let the characters of ``NARROW`` show the glyphs of the font's feature for proportional widths."""
    table = font["GSUB"].table
    narrow: dict[str, str] = {}
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag == "pwid":
            for index in record.Feature.LookupListIndex:
                for part in table.LookupList.Lookup[index].SubTable:
                    narrow.update(getattr(part, "ExtSubTable", part).mapping)
    for cmap in font["cmap"].tables:
        # Subtables may share one dictionary, in which the second finds the narrow glyph already.
        for code in map(ord, NARROW):
            if code in cmap.cmap:
                cmap.cmap[code] = narrow.get(cmap.cmap[code], cmap.cmap[code])


def cut(font: TTFont, characters: set[int], target: Path) -> None:
    """Write a font that holds only these characters, without what only shaping engines read."""
    options = subset.Options()
    options.layout_features = []
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "STAT", "vhea", "vmtx"]
    options.hinting = False
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.save(target)


def main(text_font: str, emoji_font: str) -> None:
    """Write both fonts beside this file.

    Args:
        text_font: Path of the whole Noto Sans SC.
        emoji_font: Path of the whole Noto Emoji.
    """
    # The time of writing stays out of the files, so that the same originals give the same bytes.
    font = TTFont(text_font, recalcTimestamp=False)
    narrow_punctuation(font)
    cut(font, common_characters(), FOLDER / "NotoSansSC-Medium.ttf")
    font = TTFont(emoji_font, recalcTimestamp=False)
    cut(font, set(font.getBestCmap()), FOLDER / "NotoEmoji-Medium.ttf")


if __name__ == "__main__":
    main(*sys.argv[1:])
