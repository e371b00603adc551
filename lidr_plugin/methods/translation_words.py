"""The words by which people ask for a translation, by the language that they ask in.

Every pattern looks at a bounded stretch of text, so that none can take long. `{L}` stands for the name of a language.
"""

import re
from typing import NamedTuple

from lidr_plugin.languages import NAMES

_QUOTED = r"['\"“”„‘’‚«»「『‹]"


class Words(NamedTuple):
    """How a request for a translation is worded in one language.

    Attributes:
        names: of languages, parted by `|`.
        stems: other words without one of which, or a language's name, nothing is asked for; of small letters, parted by `|`.
        patterns: each of them says that a translation is asked for.
        endings: the most letters that may follow a name.
    """

    names: str
    stems: str
    patterns: tuple[str, ...]
    endings: int = 0

    def triggers(self) -> tuple[str, ...]:
        """Words one of which is in every such request, in small letters."""
        return tuple(f"{self.names}|{self.stems}".casefold().split("|"))

    def asking(self) -> re.Pattern[str]:
        """All wordings as one pattern."""
        names = rf"(?:{self.names})\w{{0,{self.endings}}}" if self.endings else self.names
        wordings = "|".join(f"(?:{pattern})" for pattern in self.patterns)
        return re.compile(wordings.replace("{L}", names), re.IGNORECASE | re.MULTILINE)


_ENGLISH_NAMES = "|".join(
    sorted(
        {*NAMES.values(), "Mandarin", "Farsi", "Castilian", "Flemish", "Norwegian", "Gaelic", "Tagalog"},
        key=len,
        reverse=True,
    )
)
_TEXT = (
    r"(?:sentences?|phrases?|texts?|paragraphs?|words?|poems?|passages?|letters?|e-?mails?|messages?|articles?|quot(?:e|ation)s?|"
    r"sayings?|proverbs?|expressions?|statements?|cv|resume|documents?|lyrics|songs?|stor(?:y|ies)|titles?|dialogues?|speech|terms?|"
    r"questions?|names?|idioms?|summary|conversation)"
)
_NOT_A_LANGUAGE = (
    r"(?![^.\n\"“]{0,60}\b(?:in)?to\s{1,3}(?!(?:the\s{1,3}|simple\s{1,3}|modern\s{1,3})?(?:{L})\b)|[^.\n]{0,60}\bby\s)"
)

ENGLISH = Words(
    f"{_ENGLISH_NAMES}|another|a second language|one language|a different language|a foreign language|my language"
    "|the target language",
    "transl",
    (
        # translate … into German; translate the sentence; translate: "…"
        r"\bs?translat(?:es?|ing)\b[^?\n]{0,160}?\b(?:in ?to|to|in|from)\s(?:the\s|simple\s|modern\s)?(?:{L})\b",
        rf"\bs?translat(?:es?|ing)\b{_NOT_A_LANGUAGE}[^.\n]{{0,40}}?\b{_TEXT}\b",
        rf"\btranslate\s{{0,3}}(?:this|that|it|these|the following)?\s{{0,3}}(?:pls|please|for me)?\s{{0,3}}(?::|{_QUOTED}|\n)",
        r"\b(?:need|want|have|get|like)\b[^.?\n]{0,60}\btranslated\s{1,3}(?:in)?to\s{1,3}(?:{L})\b",
        r"\bin\s{1,3}(?:a\s{1,3})?(?:second|another|different|foreign)\s{1,3}language\b[^.\n]{0,40}\btranslat",
        r"\b(?:act as|you are|be)\s{1,3}(?:an?|my)\s{1,3}(?:[\w-]{1,20}\s{1,3}){0,3}translator\b",
        r"\b(?:give|provide|write|make|produce|show|tell|need|what(?:'s|’s| is| are| would be))\b"
        r"[^.?\n]{0,30}\b(?:{L})\s{1,3}translations?\b",
        r"\b(?:give|provide|write|make|produce|need)\b[^.?\n]{0,20}\ba(?:n accurate|n exact| good)?\stranslation\s(?:of|for)\b",
        r"\btranslations?\s{1,3}(?:of|for)\b[^.?\n]{0,80}\b(?:in|into|to)\s{1,3}(?:{L})\b",
        r"\b(?:{L})\s{0,3}(?:to|into|-{1,2}>|→|=>)\s{0,3}(?:{L})\s{0,3}(?::|\n)",
        # how do you say … in German; what is the German for …
        r"\bhow\s(?:do|would|can|could|should|does|might|to)\b[^.?\n]{0,24}?\b(?:say|express|call|translate)\b[^?\n]{0,120}?\bin\s(?:{L})\b",
        r"\bin\s{1,3}(?:{L}),?\s{1,3}how\s{1,3}(?:do|would|can|could|should)\b[^.?\n]{0,16}\b(?:say|express|call)\b",
        rf"\bhow\s{{1,3}}(?:do|would|can|could|should|to)\b[^.?\n]{{0,16}}\btranslate\s{{1,3}}(?:the\s{{1,3}}\w{{1,20}}\s{{1,3}})?{_QUOTED}",
        r"\bhow\s{1,3}would\s{1,3}an?\s{1,3}(?:{L})(?:\s{1,3}(?:speaker|person|native))?\s{1,3}(?:say|put|express)\b",
        r"\bhow\s{1,3}(?:is|are|was)\b[^.?\n]{0,60}\b(?:called|said|expressed|translated|written)\s{1,3}in\s{1,3}(?:{L})\b",
        r"\bhow\s{1,3}to\s{1,3}say\b[^?\n]{0,80}\bin\s{1,3}(?:{L})\b",
        r"\b(?:{L})\s{1,3}(?:words?|terms?|phrases?|expressions?|equivalents?|names?|versions?)\s{1,3}(?:for|of)\b",
        rf"\bthe\s{{1,3}}(?:{{L}})\s{{1,3}}for\s{{1,3}}(?:{_QUOTED}|the word\b|\w{{1,20}}\s{{0,3}}(?:[?.!\n]|$))",
        r"\b(?:words?|terms?|phrases?|expressions?|equivalents?|names?|meaning)\s(?:for|of)\b[^?\n]{0,70}\bin\s(?:{L})\b",
        rf"\bwhat(?:'s|’s|\s{{1,3}}is|\s{{1,3}}are|\s{{1,3}}would)\s{{1,3}}(?:the\s{{1,3}}\w{{1,20}}\s{{1,3}})?{_QUOTED}[^?\n]{{1,80}}?\bin\s{{1,3}}(?:{{L}})\s{{0,3}}[?.\n]",
        r"\bwhat(?:'s|’s|\sis)\s(?:hello|goodbye|thank you|thanks|please|good \w+|i love you|\w+)\sin\s(?:{L})\s{0,3}\?",
        r"\bwhat\s{1,3}do\s{1,3}(?:you|they|we|people)\s{1,3}call\b[^?\n]{0,60}\bin\s{1,3}(?:{L})\b",
        r"\bwhat\s{1,3}does\b[^?\n]{0,80}\bmean\s{1,3}in\s{1,3}(?:{L})\b",
        # put this into German
        r"\b(?:put|rewrite|re-write|convert|render|turn|rephrase|paraphrase|express|reword|restate|interpret|transform)\b"
        r"[^.?\n]{0,80}?\b(?:in|into|to)\s(?:{L})\b(?![\s-]+(?:style|grammar|cuisine|food|restaurants?|culture|speakers?|units?)\b)",
        rf"\b(?:write|say|type|spell)\s{{1,3}}(?:{_QUOTED}|(?:this|these|the following|the (?:sentence|phrase|word|text))\b)"
        r"[^?\n]{0,100}?\bin\s{1,3}(?:{L})\b",
    ),
)

GERMAN = Words(
    r"Englisch|Deutsch|Französisch|Spanisch|Italienisch|Portugiesisch|Niederländisch|Holländisch|Russisch|Ukrainisch|Chinesisch|"
    r"Japanisch|Koreanisch|Arabisch|Türkisch|Polnisch|Tschechisch|Griechisch|Latein(?:isch)?|Schwedisch|Dänisch|Norwegisch|Finnisch|"
    r"Ungarisch|Rumänisch|Hebräisch|Hindi|Thailändisch|Vietnamesisch|Indonesisch|Kroatisch|Serbisch|Bulgarisch|Persisch|Suaheli",
    "übersetz",
    (
        r"(?:\bübersetz(?:e|en)?\b|^\s{0,3}übersetzt\b)(?!\slernen|[^.\n]{0,80}\b(?:in|zu)\s(?:eine?n?\s(?!andere|zweite)|natürliche|code\b))",
        r"\b(?:{L})(?:e|en|es)\s{1,3}Übersetzung\s{1,3}(?:von|für|des|der|zu)\b",
        r"\b(?:sagt man|heißt|heisst|bedeutet|nennt man|schreibt man|lautet)\b[^?\n]{0,80}\b(?:auf|im)\s{1,3}(?:{L})",
        r"\b(?:formulier|übertrag|drück|setz)\w*\b[^.?\n]{0,80}\b(?:auf|ins)\s{1,3}(?:{L})",
        rf"\b(?:schreib|sag)\w{{0,3}}\s{{1,3}}(?:mir\s{{1,3}})?(?:{_QUOTED}|(?:diesen|den|folgenden)\s{{1,3}}(?:Satz|Text))[^?\n]{{0,100}}\bauf\s{{1,3}}(?:{{L}})",
        r"\b(?:{L})(?:e|en|es)\s{1,3}(?:Wort|Begriff|Ausdruck|Entsprechung)\w*\s{1,3}(?:für|von)\b",
    ),
    endings=2,
)
FRENCH = Words(
    r"anglais|allemand|français|espagnol|italien|portugais|néerlandais|russe|ukrainien|chinois|mandarin|japonais|coréen|arabe|turc|"
    r"polonais|tchèque|grec|latin|suédois|danois|norvégien|finnois|hongrois|roumain|hébreu|hindi|thaï|vietnamien|indonésien|persan|swahili|langage",
    "tradui",
    (
        r"(?:\btradui(?:s|sez|sons)\b|^\s{0,3}traduit\b)(?![^.\n]{0,80}\b(?:dans|en)\s(?:une?\s(?!autre|seconde)|langage|code\b))",
        r"\btraduire\b[^.?\n]{0,100}\b(?:en|vers l[e']|du)\s{0,3}(?:{L})",
        r"\bcomment\s{1,3}(?:dit-on|on dit|dire|dis-tu|dites-vous|se dit|écrit-on)\b[^?\n]{0,80}\ben\s{1,3}(?:{L})",
        r"\b(?:mot|terme|expression|équivalent)\s{1,3}(?:{L})\w{0,2}\s{1,3}(?:pour|de|du)\b",
        r"\b(?:veut dire|signifie|se dit|s'appelle)\b[^?\n]{0,80}\ben\s{1,3}(?:{L})",
        r"\btraduction\s{1,3}(?:en\s{1,3})?(?:{L})\w{0,2}\s{1,3}(?:de|du|des|pour)\b",
        rf"\b(?:écri|réécri|reformul|met|di)\w{{0,5}}\s{{1,3}}(?:{_QUOTED}|(?:ce|cette|le|la)\s{{1,3}}(?:message|phrase|texte|mot|suivant))[^?\n]{{0,100}}"
        r"\ben\s{1,3}(?:{L})",
    ),
    endings=2,
)
SPANISH = Words(
    r"inglés|alemán|francés|español|castellano|italiano|portugués|neerlandés|holandés|ruso|ucraniano|chino|mandarín|japonés|coreano|árabe|"
    r"turco|polaco|checo|griego|latín|sueco|danés|noruego|finés|húngaro|rumano|hebreo|hindi|tailandés|vietnamita|indonesio|persa|catalán|suajili|francesa|alemana|inglesa|italiana|rusa|china|japonesa",
    "tradu",
    (
        r"\btradu(?:ce|zca|zcan|cir|cid|cirme|cirlo)\b(?![^.\n]{0,80}\b(?:a|en)\s(?:una?\s(?!otro|segundo)|lenguaje|código\b))",
        r"\bc[óo]mo\s{1,3}(?:se\s{1,3})?(?:dice|digo|dirías|escribe|llama)\b[^?\n]{0,80}\ben\s{1,3}(?:{L})",
        r"\b(?:palabra|término|expresión|equivalente)\s{1,3}(?:en\s{1,3})?(?:{L})\s{1,3}(?:para|de)\b",
        r"\b(?:significa|quiere decir)\b[^?\n]{0,80}\ben\s{1,3}(?:{L})",
        r"\btraducción\s{1,3}(?:al\s{1,3})?(?:{L})\s{1,3}(?:de|para)\b",
        rf"\b(?:escrib|reescrib|expres|pon|di)\w{{0,4}}\s{{1,3}}(?:{_QUOTED}|est[oae]\b|la frase|el texto)"
        r"[^?\n]{0,100}\b(?:en|al)\s{1,3}(?:{L})",
    ),
)
ITALIAN = Words(
    r"ingles|tedesc|frances|spagnol|italian|portoghes|olandes|russ|cines|giappones|corean|arab|turc|polacc|grec|latin|svedes|ungheres|ebraic",
    "tradu",
    (
        r"\btradu(?:ci|cete|ca|rre|cimi)\b",
        r"\bcome\s{1,3}si\s{1,3}(?:dice|scrive|chiama)\b[^?\n]{0,80}\bin\s{1,3}(?:{L})",
        r"\b(?:parola|termine|espressione)\s{1,3}(?:{L})\s{1,3}(?:per|di)\b",
        r"\b(?:significa|vuol dire)\b[^?\n]{0,80}\bin\s{1,3}(?:{L})",
    ),
    endings=3,
)
PORTUGUESE = Words(
    r"inglês|alemão|francês|espanhol|italiano|português|holandês|russo|chinês|japonês|coreano|árabe|turco|polonês|grego|latim|sueco|hindi|francesa|alemã|inglesa|espanhola",
    "tradu",
    (
        r"\btradu(?:za|zam|z|zir)\b",
        r"\bcomo\s{1,3}(?:se\s{1,3})?(?:diz|digo|escreve|fala)\b[^?\n]{0,80}\bem\s{1,3}(?:{L})",
        r"\b(?:palavra|termo|expressão)\s{1,3}(?:em\s{1,3})?(?:{L})\s{1,3}(?:para|de)\b",
        r"\b(?:significa|quer dizer)\b[^?\n]{0,80}\bem\s{1,3}(?:{L})",
    ),
)
RUSSIAN = Words(
    r"англий|немец|француз|испан|итальян|португаль|голланд|русск|украин|китай|япон|корей|араб|турец|поль|чеш|греч|латин|швед|фин|венгер|"
    r"румын|иврит|хинди|тай|вьетнам",
    "перев",
    (
        r"\bперев(?:еди|едите|ести)\b[^.?\n]{0,160}?\b(?:на|с)\s{1,3}(?:{L})",
        r"\bперев(?:еди|едите|ести)\b(?!\s{1,3}(?:час|деньг|\d)|[^.\n]{0,100}\b(?:(?:в|из)\b|на\s{1,3}естественн))",
        r"\bкак\s{1,3}(?:сказать|будет|называется|пишется|говорят)\b[^?\n]{0,80}\b(?:по-|на\s{1,3})(?:{L})",
        r"\b(?:значит|означает|переводится)\b[^?\n]{0,80}\b(?:по-|на\s{1,3}|с\s{1,3})(?:{L})",
        r"\bперевод\w{0,2}\b[^.?\n]{0,60}\bна\s{1,3}(?:{L})",
        r"\bнапиши\w{0,2}\s{1,3}[«\"'][^?\n]{0,80}\b(?:по-|на\s{1,3})(?:{L})",
    ),
    endings=6,
)
CHINESE = Words(
    r"英文|法文|德文|日文|韩文|俄文|中文|汉文|英语|法语|德语|日语|韩语|俄语|汉语|西班牙语|西班牙文|意大利语|葡萄牙语|阿拉伯语|泰语|越南语|拉丁语|粤语|普通话",
    "译|譯",
    (
        r"(?:把|将|请|帮|给)[^。？\n]{0,60}(?:翻译|翻譯|译[成为])(?!成?了|[成为]?(?:自然语言|代码|公式))",
        r"^\s{0,3}(?:请)?(?:翻译|翻譯)(?:成|为|一?下|这|以下|下[面列]|[:：\"“])",
        r"(?:用|的)?(?:{L})(?:怎么|如何|怎麼)(?:说|写|讲|表达|說)",
        r"的(?:{L})(?:是什么|意思|翻译|怎么)",
        r"用(?:{L})(?:说|写出?|表达)[\"“「]",
    ),
)
JAPANESE = Words(
    r"英語|日本語|フランス語|ドイツ語|スペイン語|イタリア語|中国語|韓国語|ロシア語|ポルトガル語|アラビア語|タイ語|ラテン語",
    "訳",
    (
        r"(?:{L})に?(?:翻訳|訳)し",
        r"(?:翻訳|訳)して(?:ください|下さい|くれ|[。、\s]|$)",
        r"(?:{L})で(?:は)?(?:何と|なんと|どう)(?:言|い|書)",
        r"(?:{L})(?:で|では)(?:何|なん)です",
    ),
)
KOREAN = Words(
    r"영어|한국어|일본어|중국어|독일어|프랑스어|스페인어|이탈리아어|러시아어|아랍어|태국어|라틴어",
    "번역",
    (
        r"번역\s?(?:해|하여|하세요|하시오|부탁)",
        r"(?:{L})로\s?(?:뭐라고|어떻게|무엇|뭐)",
        r"(?:{L})로\s?(?:옮겨|바꿔|써)",
    ),
)
ARABIC = Words(
    r"الإنجليزية|العربية|الفرنسية|الألمانية|الإسبانية|الإيطالية|الروسية|الصينية|اليابانية|الكورية|التركية|البرتغالية|باليابانية|بالإنجليزية|بالفرنسية",
    "ترجم",
    (
        r"^\s{0,3}(?:ترجمة|يترجم)\s[^\n]{0,80}\sإلى\s",
        r"(?:^|\s)(?:ترجم|ترجمي|ترجموا|قم بترجمة)\s",
        r"كيف\s{1,3}(?:تقول|نقول|أقول|يقال)[^?؟\n]{0,80}\s(?:ب|باللغة\s{1,3})(?:ال)?\w{2,12}ية",
    ),
)
DUTCH = Words(
    r"Engels|Duits|Frans|Spaans|Italiaans|Portugees|Nederlands|Russisch|Chinees|Japans|Koreaans|Arabisch|Turks|Pools|Grieks|Latijn|Zweeds",
    "verta",
    (
        r"\bvertaa?l\b|\bvertalen\b",
        r"\bhoe\s{1,3}(?:zeg|schrijf|heet|noem)\w{0,2}\b[^?\n]{0,80}\bin\s{1,3}het\s{1,3}(?:{L})",
    ),
)
OTHERS = Words(
    "ngilizce|Almanca|Fransızca|spanyolca|Japonca|Rusça|Çince|Arapça|talyanca|Türkçe",
    "översätt|oversett|oversæt|przetłumacz|přelož|prelož|fordít|çevir|terjemah|tradueix|tradu|preved|переклад|käännä|dịch|แปล|अनुवाद|ترجمه|"
    "μετ|תרגם|powiedzieć|się mówi|jak jest|säger|sier",
    (
        r"\böversätt\b|\boversett\b|\boversæt\b|\bprzetłumacz(?:cie)?\b|\bpřelož(?:te)?\b|\bprelož(?:te)?\b|\bfordíts[da]\w*\b|\bçevir(?:in|iniz|ir)?\b"
        r"|\bterjemahkan\b|\btradueix\b|\btraduceți\b|\btraduți\b|\bpreved(?:i|ite)\b|\bпереклад(?:и|іть)\b|\bkäännä\b|\bdịch\b[^.?\n]{0,60}\bsang\b"
        r"|แปล[^.\n]{0,40}เป็น|अनुवाद\s{1,3}(?:करें|करो|कीजिए)|ترجمه کن|μετάφρασε|μεταφράστε|תרגם",
        r"\bjak\s{1,3}(?:powiedzieć|się mówi|jest)\b[^?\n]{0,80}\bpo\s{1,3}\w{3,14}u\b",
        r"\b(?:İngilizce|Almanca|Fransızca|İspanyolca|Japonca|Rusça|Çince|Arapça|İtalyanca|Türkçe)(?:de|si|da|sı)?\s(?:nasıl|ne)\b",
        r"\bhur\ssäger\s(?:man|du)\b[^?\n]{0,80}\bpå\s\w{4,14}ska\b|\bhvordan\ssier\s(?:man|du)\b[^?\n]{0,80}\bpå\s\w{4,14}sk\b",
    ),
)

CODES = re.compile(r"\b[A-Z]{2}\s{0,2}(?:-{1,2}>|→|=>|>)\s{0,2}[A-Z]{2}\b")
"""`EN -> DE`."""

EVERY = (
    ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, PORTUGUESE, RUSSIAN, CHINESE, JAPANESE, KOREAN, ARABIC, DUTCH, OTHERS,
)  # fmt: skip
