"""Final numbers

Promised: the number that a person reads as the answer, as the answer's language writes it, in at least 97 of 100 answers of the
labelled corpora; an answer without one number has none; any text is read within seconds, and nothing in it can crash the reader.

Not promised: numbers in words, but for English ones, Chinese characters, and those up to twenty in six languages; a number that
needs arithmetic; more than the last 20,000 characters of an answer.
"""

import time

import pytest

from lidr_plugin.text.numbers import final_numbers, is_correct

READ = [
    ("fr", "La réponse est 1\u202f000 €", "1000"),
    ("fr", "Réponse : 12\u00a0500", "12500"),
    ("ru", "Всего 70\u00a0000 рублей.", "70000"),
    ("ja", "答え：１，２３４", "1234"),
    ("en", "$1{,}234$", "1234"),
    ("en", "$12\\,500$", "12500"),
    ("en", "\\frac{1}{2}", "1/2"),
    ("en", "\\boxed{\\dfrac{7}{3}}", "7/3"),
    ("en", "\\boxed{\\boxed{18}}", "18"),
    ("en", "3/4", "3/4"),
    ("en", "2 1/2", "5/2"),
    ("en", "2½", "5/2"),
    ("en", "18 m2", "18"),
    ("en", "18 cm^2", "18"),
    ("en", "18 = 9 × 2", "18"),
    ("en", "The answer is 18. (See steps 1 to 3.)", "18"),
    ("en", "ANSWER: 18\nChecked in 3 ways.", "18"),
    ("en", "in 2020 5 people", "5"),
    ("en", "3,4,5", "5"),
    ("en", "1.5 million", "1500000"),
    ("en", "1.5 × 10^3", "1500"),
    ("en", "1.5 × 10³", "1500"),
    ("en", ".5", "1/2"),
    ("zh", "18万", "180000"),
    ("ja", "3億5000万円", "350000000"),
    ("en", "Answer:–18", "18"),
    ("en", "Answer: –18", "-18"),
    ("en", "The balance is -$20.", "-20"),
    ("en", "1,234", "1234"),
    ("de", "1.234", "1234"),
    ("de", "Antwort: 18,– €", "18"),
    ("de", "2 Billionen", "2000000000000"),
    ("en", "2 billion", "2000000000"),
    ("es", "2 billones", "2000000000000"),
    ("hi", "कुल 1,00,000 रुपये", "100000"),
    ("hi", "2 करोड़ 50 लाख", "25000000"),
    ("ar", "المجموع ١٬٢٣٤٫٥", "1234.5"),
    ("th", "เงิน 5 หมื่นบาท", "50000"),
    ("sw", "Watu milioni 1.5", "1500000"),
    ("en", "The answer is 18, not 17.", "18"),
    ("en", "It weighs 18\u00a0kg.", "18"),
    ("en", "**18**", "18"),
    ("en", "18\u200b", "18"),
    ("en", "\ufeff18", "18"),
    ("en", "1\u200b8", "18"),
    ("en", "She has 18 dollars as of 2024-03-12.", "18"),
    ("en", "The 3 children have 18 apples [1].", "18"),
    ("en", "COVID-19 cost 300 dollars.", "300"),
    ("en", "𝟏𝟖", "18"),
    ("de", "Die Antwort ist achtzehn.", "18"),
    ("zh", "答案是十八。", "18"),
    ("es", "Respuesta: $1.600", "1600"),
    ("zh", "2个半小时", "5/2"),
    ("en", "The answer is 18, which is 2 more than 16.", "18"),
    ("en", "She makes 3 * 6 = $18 for 3 days and 5 nights.", "18"),
    ("en", "72 - 54 = 18 more vlogs to complete the 72 vlogs.", "18"),
    ("en", "the car takes 480/30 = 16 hours", "16"),
    ("de", "17 Minuten oder 18? Nicht 17, sondern 18", "18"),
    ("es", "si 18 personas", "18"),
    ("en", "18\n\nExplanation: 16 - 3 - 4 = 9, 9 * 2 = 18.", "18"),
    ("en", "She makes $18.\n\nP.S. If eggs cost $3, she would make $27.", "18"),
]
NONE = [
    "",
    "I cannot say.",
    "The train leaves at 14:30.",
    "The ratio is 3:2.",
    "The answer is between 18 and 20.",
    "See page 12-15.",
    "9" * 5000,
    "Answer: " + "9" * 5000,
    "1e999999999",
    "10^999999999999999999999",
    "NaN",
    "∞",
    "²",
    "①",
    "1/0",
    "\\boxed{}",
    "\\frac{a}{b}",
    "答案是一样的",
    "The answer is once again unclear.",
]
LONG = [
    *(
        "9",
        "1,",
        "1 ",
        "1 000 ",
        "1.",
        "(",
        "-",
        "{",
        "answer ",
        "answer: 1\n",
        "the answer is ",
        "\\frac{",
        "\\frac{1}{2}",
        "**",
    ),
    *(
        "1=",
        "=",
        "1:",
        "step 1, ",
        "step 1 to 2 ",
        "March 1 ",
        "1 h 30 ",
        "1-",
        "between 1 and ",
        "\n",
        "\\boxed{",
        "1億",
        "½",
    ),
    *(
        "1x10^",
        "'1",
        "\u202f1",
        "1月1日",
        "12:30",
        "第",
        "[1]",
        "(1)\n",
        "not 1 ",
        "1 1/2 ",
        "\\text{",
        " \u00a0",
        "İ1 ",
        "。",
    ),
]


@pytest.mark.parametrize(("language", "text", "number"), READ)
def test_a_number_is_read_as_a_person_reads_it(language: str, text: str, number: str) -> None:
    assert is_correct(text, number, language), final_numbers(text, language)
    assert len(final_numbers(text, language)) == 1


@pytest.mark.parametrize("text", NONE, ids=lambda text: text[:20])
def test_what_is_no_number_is_none(text: str) -> None:
    assert final_numbers(text, "en") == set()


@pytest.mark.parametrize("part", LONG)
def test_a_hostile_text_is_read_within_seconds(part: str) -> None:
    began = time.process_time()
    final_numbers(part * (1_000_000 // len(part)), "en")
    assert time.process_time() - began < 5
