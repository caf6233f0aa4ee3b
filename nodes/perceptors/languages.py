"""The language of a prompt, as far as perceptors that read only English need to know.

Letters of other scripts give a language away. Among those in Latin letters it is the small words, of which English
shares few: a text counts as German, say, if it has two of German's, or one that no name begins with, and none of
English. Letters that English doesn't borrow count as well. A text without either may be in any language, and passes.
"""

import re
import unicodedata

MANY = "xlm-roberta-base-ViT-B-32:laion5b_s13b_b90k"
"""A CLIP that reads a hundred languages, as `clip.model` names it; its text tower needs the package transformers."""

SCRIPTS = {
    "HANGUL": "Korean",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "CJK": "Chinese or Japanese",
    "CYRILLIC": "Russian or another language in Cyrillic",
    "ARABIC": "Arabic or another language in its script",
    "HEBREW": "Hebrew",
    "GREEK": "Greek",
    "THAI": "Thai",
    "DEVANAGARI": "Hindi or another language in Devanagari",
}

ANOTHER = "another language"
MOST = 1000
"""Letters that are looked at."""

ENGLISH = re.compile("a|an|the|of|and|with|by|from|for|to|is|are|i|my|your|his|her|its", re.IGNORECASE)
SMALL = {
    "German": "ein eine einen einem einer der das dem des und im mit auf über unter vor hinter bei vom zum",
    "French": "un une le la les des du et dans avec sur sous au aux chez près",
    "Spanish": "un una unos unas el la los las del con en sobre bajo sin entre por",
    "Italian": "un una uno il lo la gli di del della nel nella nello sul sulla con sotto",
    "Portuguese": "um uma os da das dos na nas sobre sob ao pelo",
    "Dutch": "een het de van op onder naast bij",
    "Swedish": "en ett och med på under av",
    "Polish": "na nad pod przy ze oraz",
    "Turkish": "bir ve ile bu için gibi",
    "Vietnamese": "một con trong và trên với của",
}
"""Words that stand in most prompts of a language and seldom in English ones."""
FIRM = re.compile("[Ee]ine?|einen|einem|einer|[Uu]ne?|[Uu]na|[Ee]en|[Ee]tt|[Bb]ir|[Mm]ột")
"""Articles with which names do not begin, as they do with `la`, `el` or `der`."""


FAR = frozenset(
    map(chr, (*range(0x100, 0x152), *range(0x154, 0x180), 0x1A0, 0x1A1, 0x1AF, 0x1B0, *range(0x1EA0, 0x1EFA)))
)
"""Letters of Polish, Czech, Turkish, Vietnamese and others, which English has in names alone."""


def foreign(text: str) -> str | None:
    """The language of a text, if it is certainly not English."""
    text = text[:MOST]
    letters = [sign for sign in unicodedata.normalize("NFKC", text) if sign.isalpha()]
    scripts = [unicodedata.name(letter, "").replace("-", " ").split(" ")[0] for letter in letters]
    others = set(scripts) - {"LATIN"}
    if scripts.count("LATIN") * 2 < len(scripts):
        # Kana come before the characters that Japanese shares with Chinese.
        return next((language for script, language in SCRIPTS.items() if script in others), ANOTHER)
    return _latin(re.findall(r"\w+", text))


def _latin(words: list[str]) -> str | None:
    lower = {word.lower() for word in words}
    found = {language: lower & set(small.split()) for language, small in SMALL.items()}
    most = max(map(len, found.values()))
    strange = sum(word.islower() and not FAR.isdisjoint(word) for word in words)  # names, as of painters, say nothing
    surely = most >= 2 or (strange and strange + most >= 2) or any(map(FIRM.fullmatch, words))
    if not surely or any(map(ENGLISH.fullmatch, words)):
        return None
    languages = [language for language, some in found.items() if len(some) == most]
    return languages[0] if len(languages) == 1 else ANOTHER
