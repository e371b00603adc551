"""What translation models call a language: `deu_Latn` (NLLB, as FLORES-200 does) or `de` (MADLAD)."""

_FLORES = dict(
    pair.split("=")
    for pair in (
        "ar=arb_Arab az=azj_Latn fa=pes_Arab ff=fuv_Latn fil=tgl_Latn gn=grn_Latn ko=kor_Hang "
        "kr=knc_Latn ku=kmr_Latn lv=lvs_Latn mg=plt_Latn mn=khk_Cyrl ms=zsm_Latn nb=nob_Latn ne=npi_Deva no=nob_Latn "
        "om=gaz_Latn or=ory_Orya ps=pbt_Arab qu=quy_Latn sq=als_Latn sw=swh_Latn uz=uzn_Latn yi=ydd_Hebr zh=zho_Hans "
        "zh-Hant=zho_Hant zh-TW=zho_Hant zh-HK=zho_Hant ay=ayr_Latn"
    ).split()
)
"""Languages whose code there is not the three letters of ISO 639-3 and the usual script."""


def translation_code(model: str, language: str) -> str:
    """The language as a model of this name calls it."""
    if "madlad" in model.lower():
        return language
    return flores(language)


def flores(language: str) -> str:
    """The code of FLORES-200, which NLLB has too; of a language that it lacks, one of its form."""
    import langcodes

    if language in _FLORES:
        return _FLORES[language]
    tag = langcodes.get(language)
    if str(tag.language) in _FLORES and not tag.script:
        return _FLORES[str(tag.language)]
    return f"{tag.to_alpha3()}_{tag.maximize().script or 'Latn'}"
