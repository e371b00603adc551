"""Scripts by the way they are written, as the inside of a regular expression's `[…]`. There is no other such list."""

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan: a dot ends a syllable, a space a clause
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff\uff66-\uff9f"  # Japanese syllables, of half width too
    "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
"""Scripts without spaces between words: what is counted in words elsewhere is counted in characters here."""

DENSE = UNSPACED + "\uac00-\ud7af"
"""Scripts of which a character says about as much as three Latin letters. Korean has spaces, but writes syllables."""
