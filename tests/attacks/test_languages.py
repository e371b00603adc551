"""Languages of texts

Promised: a text that is clearly in another language than the wanted one is seen, whichever of the known languages that is; code,
names, addresses and texts too short to tell do not decide; any text is judged within seconds; a language that cannot be identified
costs its own gate alone; what is no BCP 47 code is refused by name.

Not promised: which of two close neighbours a text is in (Bosnian, Croatian and Serbian; Indonesian and Malay), nor that fewer than
24 letters in the right script are in the right language.
"""

import time

import pytest

from lidr_plugin import languages
from lidr_plugin.config.schema import Config
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.mixed_script import is_mixed
from tests.support.texts import SAMPLES

MORE = {
    **SAMPLES,
    "pt": "A biblioteca fica aberta até às oito da noite e, aos sábados, há uma hora de leitura para as crianças.",
    "it": "La biblioteca resta aperta fino alle otto di sera e il sabato c'è un'ora di lettura per i bambini.",
    "nl": "De bibliotheek is tot acht uur 's avonds open en op zaterdag is er een voorleesuur voor kinderen.",
    "pl": "Biblioteka jest otwarta do ósmej wieczorem, a w soboty odbywa się godzina czytania dla dzieci.",
    "tr": "Kütüphane akşam sekize kadar açık kalıyor ve cumartesi günleri çocuklar için okuma saati var.",
    "vi": "Thư viện mở cửa đến tám giờ tối, và vào thứ Bảy có giờ đọc sách cho trẻ em.",
    "ko": "도서관은 저녁 여덟 시까지 문을 열고, 토요일에는 아이들을 위한 책 읽기 시간이 있습니다.",
    "th": "ห้องสมุดเปิดถึงสองทุ่ม และในวันเสาร์มีชั่วโมงอ่านหนังสือสำหรับเด็ก",
    "hi": "पुस्तकालय शाम आठ बजे तक खुला रहता है, और शनिवार को बच्चों के लिए कहानी का समय होता है।",
    "am": "ቤተ መጻሕፍቱ እስከ ምሽቱ ሁለት ሰዓት ድረስ ክፍት ነው፤ ቅዳሜም ለልጆች የንባብ ሰዓት አለ።",
    "he": "הספרייה פתוחה עד שמונה בערב, ובשבתות יש שעת קריאה לילדים.",
    "sw": "Maktaba hufunguliwa hadi saa mbili usiku, na siku ya Jumamosi kuna saa ya kusoma kwa watoto.",
}
HOSTILE = {
    "one long word": "a" * 1_000_000,
    "signs of equality": "=" * 262_144,
    "at signs": "@" * 262_144,
    "addresses": "a@b.c " * 150_000,
    "angle brackets": "<" * 262_144,
    "backquotes": "`" * 262_143,
    "dollars": "$" * 262_143,
    "backslashes": "\\(" * 131_072,
    "quotation marks": "„" * 262_144,
    "brackets": "(" * 262_144,
    "spaces": " " * 1_000_000,
    "line breaks": "\n" * 1_000_000,
    "short lines": "x(\n" * 300_000,
    "imports": "import " * 150_000,
    "no width": "\u200b\u200d" * 500_000,
    "directions": "\u202eabc\u202d" * 200_000,
    "accents": "e" + "\u0301" * 500_000,
    "emoji": "👩\u200d👩\u200d👧" * 150_000,
    "Chinese": "字" * 1_000_000,
    "every character": "".join(map(chr, range(0x20, 0xD800))) * 3,
    "lone surrogates": "\ud800 word " * 50_000,
    "NUL": "\0" * 300_000,
    "scripts in turn": "aя" * 200_000,
    "words in turn": "word слово 词 " * 80_000,
    "prose": (MORE["de"] + "\n") * 10_000,
}


@pytest.mark.parametrize("wanted", ["de", "es", "ru", "ja", "sw", "am"])
@pytest.mark.parametrize("code", MORE)
def test_a_third_language_is_seen_in_every_pair(code: str, wanted: str) -> None:
    gate = LanguageGate(["en", wanted])
    assert gate.off_target(MORE[code], wanted) is (code != wanted)


@pytest.mark.parametrize("code", [code for code in MORE if code != "en"])
def test_half_english_is_seen_and_one_quoted_line_is_not(code: str) -> None:
    gate, own, english = LanguageGate(["en", code]), MORE[code], MORE["en"]
    assert gate.off_target(f"{own}\n{english}\n{english}\n", code)
    assert not gate.off_target(f"{own}\n\n> {english}\n\n{own}\n{own}\n", code)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_judged_within_seconds(text: str) -> None:
    begun = time.process_time()
    for code in ("de", "ko", "zh-Hant", "mi"):
        LanguageGate(["en", code]).off_target(text, code)
        is_mixed(text, code, text)
    LanguageGate(["en"]).detect(text)
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    "text",
    [
        "OK",
        "",
        " ",
        "42",
        "👍",
        "\u200b",
        "...",
        "Müller",
        "3 × 4 = 12",
        "x",
        "iPhone 15 Pro Max",
        "$a^2 + b^2 = c^2$",
        "1. 2. 3. 4. 5.",
        "- \n- \n- ",
        "Ludwig van Beethoven, Wolfgang Amadeus Mozart, Johann Sebastian Bach, Clara Schumann",
        "for (int i = 0; i < numberOfElements; i++) { total += elements[i]; }",
        "const result = items.filter(item => item.price > 10).map(item => item.name);",
        "https://example.org/this/is/a/long/path/with/english/words",
        "| Name | Value |\n|------|-------|\n| first entry of the table | 10 |",
    ],
)
def test_what_says_nothing_decides_nothing(text: str) -> None:
    for code in ("de", "ko", "ru", "th", "am", "sw"):
        assert not LanguageGate(["en", code]).off_target(text, code), code


@pytest.mark.parametrize(
    "code",
    [
        "",
        " ",
        "d",
        "deutsch",
        "de_DE",
        "de-",
        "-de",
        "de--AT",
        "../de",
        "de/..",
        "de\n",
        "\0",
        "xq",
        "qaa",
        "x-klingon",
        "дe",
        "{language}",
    ],
)
def test_rubbish_is_no_language(code: str) -> None:
    assert not languages.is_known(code)
    with pytest.raises(ValueError, match="language code"):
        Config.model_validate({"model_name_or_path": "m", "languages": [code], "prompts": "{language}.jsonl"})


@pytest.mark.parametrize(
    "code", ["bo", "gn", "ckb", "haw", "zh-Hant-HK", "sr-Latn-RS", "en-GB", "es-419", "iw", "in", "fil", "nn"]
)
def test_any_code_of_a_known_language_works(code: str) -> None:
    Config.model_validate(
        {"model_name_or_path": "m", "languages": [code], "dominant_language": "de", "prompts": "{language}.jsonl"}
    )
    assert languages.name_of(code)[0].isupper()
    assert LanguageGate(["de", code]).off_target(MORE["th"], code)
