"""chrF2 (Popovic 2015, W15-3049): how alike two texts are, by their character n-grams.

Our own, because the metric is a few lines and sacrebleu brings numpy and lxml; a test compares the two.
"""

from collections import Counter

_ORDER = 6
_BETA = 2


def chrf(hypothesis: str, reference: str) -> float:
    """From 0 to 1. N-grams of one to six characters, white space left out, recall weighs twice as much as precision.

    Orders for which one of the texts is too short do not count, as in sacrebleu's sentence score.
    """
    texts = "".join(hypothesis.split()), "".join(reference.split())
    precision = recall = 0.0
    orders = 0
    for n in range(1, _ORDER + 1):
        ours, theirs = (Counter(text[i : i + n] for i in range(len(text) - n + 1)) for text in texts)
        if ours and theirs:
            matches = (ours & theirs).total()
            precision += matches / ours.total()
            recall += matches / theirs.total()
            orders += 1
    if not orders or not precision + recall:
        return 0.0
    precision, recall = precision / orders, recall / orders
    return (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)
