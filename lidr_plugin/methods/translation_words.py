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
_NOT_A_LANGUAGE = r"(?![^.\n\"“]{0,60}\b(?:in)?to\s+(?!(?:the\s+|simple\s+|modern\s+)?(?:{L})\b)|[^.\n]{0,60}\bby\s)"

ENGLISH = Words(
    f"{_ENGLISH_NAMES}|another|a second language|one language|a different language|a foreign language|my language"
    "|the target language",
    "transl",
    (
        # translate … into German; translate the sentence; translate: "…"
        r"\bs?translat(?:es?|ing)\b[^?\n]{0,160}?\b(?:in ?to|to|in|from)\s+(?:the\s+|simple\s+|modern\s+)?(?:{L})\b",
        rf"\bs?translat(?:es?|ing)\b{_NOT_A_LANGUAGE}[^.\n]{{0,40}}?\b{_TEXT}\b",
        rf"\btranslate\s*(?:this|that|it|these|the following)?\s*(?:pls|please|for me)?\s*(?::|{_QUOTED}|\n)",
        r"\b(?:need|want|have|get|like)\b[^.?\n]{0,60}\btranslated\s+(?:in)?to\s+(?:{L})\b",
        r"\bin\s+(?:a\s+)?(?:second|another|different|foreign)\s+language\b[^.\n]{0,40}\btranslat",
        r"\b(?:act as|you are|be)\s+(?:an?|my)\s+(?:[\w-]+\s+){0,3}translator\b",
        r"\b(?:give|provide|write|make|produce|show|tell|need|what(?:'s|’s| is| are| would be))\b"
        r"[^.?\n]{0,30}\b(?:{L})\s+translations?\b",
        r"\b(?:give|provide|write|make|produce|need)\b[^.?\n]{0,20}\ba(?:n accurate|n exact| good)?\s+translation\s+(?:of|for)\b",
        r"\btranslations?\s+(?:of|for)\b[^.?\n]{0,80}\b(?:in|into|to)\s+(?:{L})\b",
        r"\b(?:{L})\s*(?:to|into|-+>|→|=+>)\s*(?:{L})\s*(?::|\n)",
        # how do you say … in German; what is the German for …
        r"\bhow\s+(?:do|would|can|could|should|does|might|to)\b[^.?\n]{0,24}?\b(?:say|express|call|translate)\b[^?\n]{0,120}?\bin\s+(?:{L})\b",
        r"\bin\s+(?:{L}),?\s+how\s+(?:do|would|can|could|should)\b[^.?\n]{0,16}\b(?:say|express|call)\b",
        rf"\bhow\s+(?:do|would|can|could|should|to)\b[^.?\n]{{0,16}}\btranslate\s+(?:the\s+\w+\s+)?{_QUOTED}",
        r"\bhow\s+would\s+an?\s+(?:{L})(?:\s+(?:speaker|person|native))?\s+(?:say|put|express)\b",
        r"\bhow\s+(?:is|are|was)\b[^.?\n]{0,60}\b(?:called|said|expressed|translated|written)\s+in\s+(?:{L})\b",
        r"\bhow\s+to\s+say\b[^?\n]{0,80}\bin\s+(?:{L})\b",
        r"\b(?:{L})\s+(?:words?|terms?|phrases?|expressions?|equivalents?|names?|versions?)\s+(?:for|of)\b",
        rf"\bthe\s+(?:{{L}})\s+for\s+(?:{_QUOTED}|the word\b|\w+\s*[?.!\n]|\w+\s*$)",
        r"\b(?:words?|terms?|phrases?|expressions?|equivalents?|names?|meaning)\s+(?:for|of)\b[^?\n]{0,70}\bin\s+(?:{L})\b",
        rf"\bwhat(?:'s|’s|\s+is|\s+are|\s+would)\s+(?:the\s+\w+\s+)?{_QUOTED}[^?\n]{{1,80}}?\bin\s+(?:{{L}})\s*[?.\n]",
        r"\bwhat(?:'s|’s|\s+is)\s+(?:hello|goodbye|thank you|thanks|please|good \w+|i love you|\w+)\s+in\s+(?:{L})\s*\?",
        r"\bwhat\s+do\s+(?:you|they|we|people)\s+call\b[^?\n]{0,60}\bin\s+(?:{L})\b",
        r"\bwhat\s+does\b[^?\n]{0,80}\bmean\s+in\s+(?:{L})\b",
        # put this into German
        r"\b(?:put|rewrite|re-write|convert|render|turn|rephrase|paraphrase|express|reword|restate|interpret|transform)\b"
        r"[^.?\n]{0,80}?\b(?:in|into|to)\s+(?:{L})\b(?![\s-]+(?:style|grammar|cuisine|food|restaurants?|culture|speakers?|units?)\b)",
        rf"\b(?:write|say|type|spell)\s+(?:{_QUOTED}|(?:this|these|the following|the (?:sentence|phrase|word|text))\b)"
        r"[^?\n]{0,100}?\bin\s+(?:{L})\b",
    ),
)

GERMAN = Words(
    r"Englisch|Deutsch|Französisch|Spanisch|Italienisch|Portugiesisch|Niederländisch|Holländisch|Russisch|Ukrainisch|Chinesisch|"
    r"Japanisch|Koreanisch|Arabisch|Türkisch|Polnisch|Tschechisch|Griechisch|Latein(?:isch)?|Schwedisch|Dänisch|Norwegisch|Finnisch|"
    r"Ungarisch|Rumänisch|Hebräisch|Hindi|Thailändisch|Vietnamesisch|Indonesisch|Kroatisch|Serbisch|Bulgarisch|Persisch|Suaheli",
    "übersetz",
    (
        r"(?:\bübersetz(?:e|en)?\b|^\s*übersetzt\b)(?!\s+lernen|[^.\n]{0,80}\b(?:in|zu)\s+(?:eine?n?\s+(?!andere|zweite)|natürliche|code\b))",
        r"\b(?:{L})(?:e|en|es)\s+Übersetzung\s+(?:von|für|des|der|zu)\b",
        r"\b(?:sagt man|heißt|heisst|bedeutet|nennt man|schreibt man|lautet)\b[^?\n]{0,80}\b(?:auf|im)\s+(?:{L})",
        r"\b(?:formulier|übertrag|drück|setz)\w*\b[^.?\n]{0,80}\b(?:auf|ins)\s+(?:{L})",
        rf"\b(?:schreib|sag)\w{{0,3}}\s+(?:mir\s+)?(?:{_QUOTED}|(?:diesen|den|folgenden)\s+(?:Satz|Text))[^?\n]{{0,100}}\bauf\s+(?:{{L}})",
        r"\b(?:{L})(?:e|en|es)\s+(?:Wort|Begriff|Ausdruck|Entsprechung)\w*\s+(?:für|von)\b",
    ),
    endings=2,
)
FRENCH = Words(
    r"anglais|allemand|français|espagnol|italien|portugais|néerlandais|russe|ukrainien|chinois|mandarin|japonais|coréen|arabe|turc|"
    r"polonais|tchèque|grec|latin|suédois|danois|norvégien|finnois|hongrois|roumain|hébreu|hindi|thaï|vietnamien|indonésien|persan|swahili|langage",
    "tradui",
    (
        r"(?:\btradui(?:s|sez|sons)\b|^\s*traduit\b)(?![^.\n]{0,80}\b(?:dans|en)\s+(?:une?\s+(?!autre|seconde)|langage|code\b))",
        r"\btraduire\b[^.?\n]{0,100}\b(?:en|vers l[e']|du)\s*(?:{L})",
        r"\bcomment\s+(?:dit-on|on dit|dire|dis-tu|dites-vous|se dit|écrit-on)\b[^?\n]{0,80}\ben\s+(?:{L})",
        r"\b(?:mot|terme|expression|équivalent)\s+(?:{L})\w{0,2}\s+(?:pour|de|du)\b",
        r"\b(?:veut dire|signifie|se dit|s'appelle)\b[^?\n]{0,80}\ben\s+(?:{L})",
        r"\btraduction\s+(?:en\s+)?(?:{L})\w{0,2}\s+(?:de|du|des|pour)\b",
        rf"\b(?:écri|réécri|reformul|met|di)\w{{0,5}}\s+(?:{_QUOTED}|(?:ce|cette|le|la)\s+(?:message|phrase|texte|mot|suivant))[^?\n]{{0,100}}"
        r"\ben\s+(?:{L})",
    ),
    endings=2,
)
SPANISH = Words(
    r"inglés|alemán|francés|español|castellano|italiano|portugués|neerlandés|holandés|ruso|ucraniano|chino|mandarín|japonés|coreano|árabe|"
    r"turco|polaco|checo|griego|latín|sueco|danés|noruego|finés|húngaro|rumano|hebreo|hindi|tailandés|vietnamita|indonesio|persa|catalán|suajili|francesa|alemana|inglesa|italiana|rusa|china|japonesa",
    "tradu",
    (
        r"\btradu(?:ce|zca|zcan|cir|cid|cirme|cirlo)\b(?![^.\n]{0,80}\b(?:a|en)\s+(?:una?\s+(?!otro|segundo)|lenguaje|código\b))",
        r"\bc[óo]mo\s+(?:se\s+)?(?:dice|digo|dirías|escribe|llama)\b[^?\n]{0,80}\ben\s+(?:{L})",
        r"\b(?:palabra|término|expresión|equivalente)\s+(?:en\s+)?(?:{L})\s+(?:para|de)\b",
        r"\b(?:significa|quiere decir)\b[^?\n]{0,80}\ben\s+(?:{L})",
        r"\btraducción\s+(?:al\s+)?(?:{L})\s+(?:de|para)\b",
        rf"\b(?:escrib|reescrib|expres|pon|di)\w{{0,4}}\s+(?:{_QUOTED}|est[oae]\b|la frase|el texto)"
        r"[^?\n]{0,100}\b(?:en|al)\s+(?:{L})",
    ),
)
ITALIAN = Words(
    r"ingles|tedesc|frances|spagnol|italian|portoghes|olandes|russ|cines|giappones|corean|arab|turc|polacc|grec|latin|svedes|ungheres|ebraic",
    "tradu",
    (
        r"\btradu(?:ci|cete|ca|rre|cimi)\b",
        r"\bcome\s+si\s+(?:dice|scrive|chiama)\b[^?\n]{0,80}\bin\s+(?:{L})",
        r"\b(?:parola|termine|espressione)\s+(?:{L})\s+(?:per|di)\b",
        r"\b(?:significa|vuol dire)\b[^?\n]{0,80}\bin\s+(?:{L})",
    ),
    endings=3,
)
PORTUGUESE = Words(
    r"inglês|alemão|francês|espanhol|italiano|português|holandês|russo|chinês|japonês|coreano|árabe|turco|polonês|grego|latim|sueco|hindi|francesa|alemã|inglesa|espanhola",
    "tradu",
    (
        r"\btradu(?:za|zam|z|zir)\b",
        r"\bcomo\s+(?:se\s+)?(?:diz|digo|escreve|fala)\b[^?\n]{0,80}\bem\s+(?:{L})",
        r"\b(?:palavra|termo|expressão)\s+(?:em\s+)?(?:{L})\s+(?:para|de)\b",
        r"\b(?:significa|quer dizer)\b[^?\n]{0,80}\bem\s+(?:{L})",
    ),
)
RUSSIAN = Words(
    r"англий|немец|француз|испан|итальян|португаль|голланд|русск|украин|китай|япон|корей|араб|турец|поль|чеш|греч|латин|швед|фин|венгер|"
    r"румын|иврит|хинди|тай|вьетнам",
    "перев",
    (
        r"\bперев(?:еди|едите|ести)\b[^.?\n]{0,160}?\b(?:на|с)\s+(?:{L})",
        r"\bперев(?:еди|едите|ести)\b(?!\s+(?:час|деньг|\d)|[^.\n]{0,100}\b(?:(?:в|из)\b|на\s+естественн))",
        r"\bкак\s+(?:сказать|будет|называется|пишется|говорят)\b[^?\n]{0,80}\b(?:по-|на\s+)(?:{L})",
        r"\b(?:значит|означает|переводится)\b[^?\n]{0,80}\b(?:по-|на\s+|с\s+)(?:{L})",
        r"\bперевод\w{0,2}\b[^.?\n]{0,60}\bна\s+(?:{L})",
        r"\bнапиши\w{0,2}\s+[«\"'][^?\n]{0,80}\b(?:по-|на\s+)(?:{L})",
    ),
    endings=6,
)
CHINESE = Words(
    r"英文|法文|德文|日文|韩文|俄文|中文|汉文|英语|法语|德语|日语|韩语|俄语|汉语|西班牙语|西班牙文|意大利语|葡萄牙语|阿拉伯语|泰语|越南语|拉丁语|粤语|普通话",
    "译|譯",
    (
        r"(?:把|将|请|帮|给)[^。？\n]{0,60}(?:翻译|翻譯|译[成为])(?!成?了|[成为]?(?:自然语言|代码|公式))",
        r"^\s*(?:请)?(?:翻译|翻譯)(?:成|为|一?下|这|以下|下[面列]|[:：\"“])",
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
        r"^\s*(?:ترجمة|يترجم)\s[^\n]{0,80}\sإلى\s",
        r"(?:^|\s)(?:ترجم|ترجمي|ترجموا|قم بترجمة)\s",
        r"كيف\s+(?:تقول|نقول|أقول|يقال)[^?؟\n]{0,80}\s(?:ب|باللغة\s+)(?:ال)?\w{2,12}ية",
    ),
)
DUTCH = Words(
    r"Engels|Duits|Frans|Spaans|Italiaans|Portugees|Nederlands|Russisch|Chinees|Japans|Koreaans|Arabisch|Turks|Pools|Grieks|Latijn|Zweeds",
    "verta",
    (r"\bvertaa?l\b|\bvertalen\b", r"\bhoe\s+(?:zeg|schrijf|heet|noem)\w{0,2}\b[^?\n]{0,80}\bin\s+het\s+(?:{L})"),
)
OTHERS = Words(
    "ngilizce|Almanca|Fransızca|spanyolca|Japonca|Rusça|Çince|Arapça|talyanca|Türkçe",
    "översätt|oversett|oversæt|przetłumacz|přelož|prelož|fordít|çevir|terjemah|tradueix|tradu|preved|переклад|käännä|dịch|แปล|अनुवाद|ترجمه|"
    "μετ|תרגם|powiedzieć|się mówi|jak jest|säger|sier",
    (
        r"\böversätt\b|\boversett\b|\boversæt\b|\bprzetłumacz(?:cie)?\b|\bpřelož(?:te)?\b|\bprelož(?:te)?\b|\bfordíts[da]\w*\b|\bçevir(?:in|iniz|ir)?\b"
        r"|\bterjemahkan\b|\btradueix\b|\btraduceți\b|\btraduți\b|\bpreved(?:i|ite)\b|\bпереклад(?:и|іть)\b|\bkäännä\b|\bdịch\b[^.?\n]{0,60}\bsang\b"
        r"|แปล[^.\n]{0,40}เป็น|अनुवाद\s+(?:करें|करो|कीजिए)|ترجمه کن|μετάφρασε|μεταφράστε|תרגם",
        r"\bjak\s+(?:powiedzieć|się mówi|jest)\b[^?\n]{0,80}\bpo\s+\w{3,14}u\b",
        r"\b(?:İngilizce|Almanca|Fransızca|İspanyolca|Japonca|Rusça|Çince|Arapça|İtalyanca|Türkçe)(?:de|si|da|sı)?\s+(?:nasıl|ne)\b",
        r"\bhur\s+säger\s+(?:man|du)\b[^?\n]{0,80}\bpå\s+\w{4,14}ska\b|\bhvordan\s+sier\s+(?:man|du)\b[^?\n]{0,80}\bpå\s+\w{4,14}sk\b",
    ),
)

CODES = re.compile(r"\b[A-Z]{2}\s{0,2}(?:-+>|→|=+>|>)\s{0,2}[A-Z]{2}\b")
"""`EN -> DE`."""

EVERY = (
    ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, PORTUGUESE, RUSSIAN, CHINESE, JAPANESE, KOREAN, ARABIC, DUTCH, OTHERS,
)  # fmt: skip
