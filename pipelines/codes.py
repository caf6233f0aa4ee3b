"""The codes of mistakes in a recipe. They are stable: scripts and editors may rely on them."""

from collections.abc import Mapping

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Text and structure": {
        "T2I101": "the text is not YAML",
        "T2I102": "a key appears twice in one mapping",
        "T2I103": "a YAML tag or a merge key, which recipes don't support",
        "T2I104": "the recipe is too large, nested too deeply, or expands too far",
        "T2I105": "a part of the recipe is missing, unknown or malformed",
        "T2I106": "the format's version is missing or unsupported",
        "T2I107": "the recipe doesn't exist or can't be read",
        "T2I108": "what `extends` names doesn't exist, or refers back to itself",
        "T2I109": "the recipe has no such preset",
        "T2I110": "an override or an overlay names something that doesn't exist",
        "T2I111": "a `$` in a text or a param names something that can't be inserted there",
        "T2I112": "one name is used for two things",
        "T2I113": "a text is cut short by a comment",
    },
    "Names and settings": {
        "T2I201": "no node has this name",
        "T2I202": "the node has no such port or setting",
        "T2I203": "something required is missing",
        "T2I204": "the value is refused",
        "T2I205": "a wire in place of a value, or a value in place of a wire",
        "T2I206": "the setting can't change over time",
        "T2I207": "the keyframes are wrong",
    },
    "Wires and kinds": {
        "T2I301": "the wire starts at a node that doesn't exist",
        "T2I302": "the node has no such output",
        "T2I303": "the wire carries the wrong kind",
        "T2I304": "the node has no output",
        "T2I305": "the node has several outputs, and the wire names none",
    },
    "The recipe as a whole": {
        "T2I401": "nodes depend on each other in a circle",
        "T2I402": "no trainable canvas reaches the loss",
        "T2I403": "embeddings of two perceptors are mixed",
        "T2I404": "two optimisers train one canvas",
        "T2I405": "the recipe writes nothing",
        "T2I406": "`every` on a node that does not run in steps",
        "T2I407": "more passes than there are crops to spread over them",
        "T2I408": "pictures of a size that the output can't take",
        "T2I409": "two outputs write one file",
        "T2I410": "an output needs pictures of two optimisers while they train",
        "T2I411": "no weights of this family have this name",
        "T2I412": "a camera isn't wired to an optimiser's picture",
    },
    "Packages and files": {
        "T2I501": "a package that offers nodes can't be used",
        "T2I502": "a file is missing",
        "T2I503": "a foreign recipe names files, weights or sizes that only your own recipes may",
    },
}
"""Each code and what it means, by what it is about."""
CODES: Mapping[str, str] = {code: meaning for group in GROUPS.values() for code, meaning in group.items()}
