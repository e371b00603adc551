"""Endless repetition is told in every script, and nothing else is taken for it."""

import json
from pathlib import Path

import pytest

from lidr_plugin.text.repetition import is_degenerate, repeated_share
from tests.support.texts import SAMPLES

GREETINGS = {
    "Burmese": "မင်္ဂလာပါ",
    "Chinese": "你好，",
    "Japanese": "こんにちは、",
    "Khmer": "សួស្តី",
    "Korean": "안녕하세요 ",
    "Lao": "ສະບາຍດີ",
    "Thai": "สวัสดี",
    "Tibetan": "བཀྲ་ཤིས་བདེ་ལེགས།",
}
PARAGRAPHS = {
    "Burmese": "ကျွန်တော်တို့ရွာမှာ မြစ်ကမ်းနားက စာကြည့်တိုက်လေးတစ်ခုရှိတယ်။ ညနေတိုင်း ကလေးတွေလာပြီး ပုံပြင်စာအုပ်ဖတ်ကြတယ်။ "
    "စနေနေ့ဆိုရင် ဆရာမကြီးက သီချင်းသင်ပေးတယ်။",
    "Khmer": "នៅភូមិរបស់យើងមានបណ្ណាល័យតូចមួយនៅក្បែរមាត់ទន្លេ។ រៀងរាល់ល្ងាច ក្មេងៗមកអានសៀវភៅរឿងនិទាន។ "
    "ថ្ងៃសៅរ៍លោកគ្រូបង្រៀនចម្រៀង ហើយអ្នកស្រុកយកនំ និងតែមកចែកគ្នា។",
    "Lao": "ຢູ່ບ້ານຂອງພວກເຮົາມີຫໍສະໝຸດນ້ອຍແຫ່ງໜຶ່ງໃກ້ແຄມນ້ຳ. ທຸກໆຕອນແລງ ເດັກນ້ອຍມາອ່ານປຶ້ມນິທານ. "
    "ວັນເສົາ ນາຍຄູສອນເພງ ແລະຊາວບ້ານເອົາເຂົ້າໜົມມາແບ່ງກັນ.",
    "Thai": "ที่หมู่บ้านของเรามีห้องสมุดเล็กๆ อยู่ริมแม่น้ำ ทุกเย็นเด็กๆ จะมาอ่านนิทาน วันเสาร์คุณครูสอนร้องเพลง และชาวบ้านนำขนมกับน้ำชามาแบ่งกัน",
}


@pytest.mark.parametrize("script", GREETINGS)
def test_a_greeting_a_hundred_times_is_degenerate_in_every_script(script: str) -> None:
    assert is_degenerate(GREETINGS[script] * 100)
    assert repeated_share(GREETINGS[script] * 100) > 0.8


@pytest.mark.parametrize("script", PARAGRAPHS)
def test_a_paragraph_written_without_spaces_is_not_degenerate(script: str) -> None:
    assert len(PARAGRAPHS[script]) > 60
    assert not is_degenerate(PARAGRAPHS[script])


@pytest.mark.parametrize(
    "text",
    [
        "I am sorry, I am sorry, " * 40,
        "The answer is the following one:\n" + "- Drink more water every day\n" * 30,
        "ha" * 200,
        "नमस्ते" * 100,
        "非常重要，" * 60,
        "A good start. " + "This is a very good idea and we should do it again and again. " * 12,
        "a" * 300,
    ],
)
def test_degenerate_repetition_is_told(text: str) -> None:
    assert is_degenerate(text)


@pytest.mark.parametrize(
    "text",
    [
        *SAMPLES.values(),
        "\n".join(f"{n}. Step {n}: turn the page and read line {n * 7} aloud." for n in range(1, 15)),
        "| a | b |\n|---|---|\n" + "\n".join(f"| {n} | {n * n} |" for n in range(30)),
        "-" * 80 + "\nA title\n" + "-" * 80,
        "Row, row, row your boat,\ngently down the stream.\nMerrily, merrily, merrily, merrily,\nlife is but a dream.\n"
        * 2,
    ],
)
def test_lists_tables_and_verses_are_not_degenerate(text: str) -> None:
    assert not is_degenerate(text)


def test_real_answers_are_not_degenerate_and_looped_ones_are(shared: Path) -> None:
    lines = (shared / "data/llama3-8b/en_to_fr.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    french = [row["en2fr_reponse"] for row in rows if row["en2fr_reponse"] != "Translation Error"]
    english = [row["response"] for row in rows]
    assert sum(map(is_degenerate, english)) <= 2
    assert sum(map(is_degenerate, french)) <= 5
    assert all(is_degenerate((text[:80] + "\n") * 12) for text in english if len(text) > 80)


def test_the_share_of_repeated_n_grams() -> None:
    assert repeated_share("a b c d e f g h") == 0.0
    assert repeated_share("a b c d a b c d") == pytest.approx(1 / 5)
    assert repeated_share("a b c") == 0.0
    assert repeated_share("我们走吧我们走吧") == pytest.approx(1 / 5)
