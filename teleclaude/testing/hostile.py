"""Text and values that break careless code."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "empty": "",
    "spaces": "  \t\r\n ",
    "single quote": "it's; DROP TABLE sessions; --",
    "double quote": 'a "quoted" name',
    "percent": "100 % %s %(id)s %%",
    "underscore": "a_b",
    "backslash": "C:\\new\\table \\u0000 \\x00",
    "colon and dollar": ":name $1 ? ?1 {0}",
    "emoji": "\N{FAMILY} \N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL} \U0001f1e9\U0001f1ea",
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "combining": "e\u0301 \u00e9 o\u0308\u0323",
    "noncharacters": "\uffff\ufffe\U0010ffff\ufdd0",
    "around the surrogates": "\ud7ff\ue000",
    "control characters": "\x01\x02\x1b[31m\x7f\x85\u2028\u2029",
    "byte order mark": "\ufefftext",
}
"""Text that is unusual and yet must come back as it went in; the keys describe it."""

MEGABYTE: Final = "\N{SNOWMAN}0123456'%_\\" * 90_000
"""More than a megabyte of text."""

REFUSED_TEXTS: Final = {
    "NUL": ("a\0b", "contains a NUL character"),
    "high surrogate": ("a\ud800", "contains a lone surrogate at position 1"),
    "low surrogate": ("\udfff", "contains a lone surrogate at position 0"),
    "bytes": (b"text", "must be text, not bytes"),
    "number": (7, "must be text, not int"),
}
"""What no text column takes: the value and why."""
