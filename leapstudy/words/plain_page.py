"""The plain page's sentences by rule: the same figures give the same words, in each language of the catalog.

Nine points, at most 350 words: question, answer with its interval, days, how sure, what would overturn it, cost,
grade, one chart, and what cannot be said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from leapstudy.core.errors import bad_value
from leapstudy.core.estimate import SCHOOL_DAYS
from leapstudy.core.phrases import capital, number, points
from leapstudy.data.names import comparison_words, short, study_names
from leapstudy.data.state import Outcome
from leapstudy.evidence.verdict import UNCLAIMED, Kind
from leapstudy.words.reading import Reading, Span
from leapstudy.words.sentences import catalog_file

LANGUAGES = ("en", "es")
# Upper ends of probability and the chance that is said for it: n in of.
CHANCES = (
    (0.15, 1, 10),
    (0.22, 1, 5),
    (0.29, 1, 4),
    (0.37, 1, 3),
    (0.45, 2, 5),
    (0.55, 1, 2),
    (0.63, 3, 5),
    (0.71, 2, 3),
    (0.78, 3, 4),
    (0.85, 4, 5),
    (0.95, 9, 10),
)
CERTAIN = 0.05


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its sentences; `key` names the point and is the same in every language."""

    key: str
    heading: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentences as one paragraph."""
        return " ".join(self.sentences)


@dataclass(frozen=True, slots=True)
class PlainPage:
    """The plain page in one language; the chart stands in the section with the key `chart`."""

    lang: str
    title: str
    note: str
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        """Everything that is read aloud, without the chart."""
        told = [item for item in self.sections if item.text]
        parts = (f"{item.heading}{'' if item.heading.endswith('?') else '.'} {item.text}" for item in told)
        return " ".join([self.title, *parts])


def catalog(lang: str) -> dict[str, str]:
    """Return the sentences of a language, with the study's program in them.

    Raises
    ------
    BadInput
        For a language without a catalog.
    """
    if lang not in LANGUAGES:
        raise bad_value("language", lang, LANGUAGES)
    state = study_names().state
    program = state.program
    return _catalog(lang, program.short, program.visits, program.deed(lang), *state.unit.noun[lang])


@cache
def _catalog(lang: str, program: str, visits: str, done: str, unit: str, units: str) -> dict[str, str]:
    words = {"{program}": program, "{visits}": visits, "{done}": done, "{unit}": unit, "{units}": units}
    sentences = dict(catalog_file(lang))
    for word, own in words.items():
        sentences = {
            key: (sentence.replace(word, capital(own), 1) if _begins(sentence, word) else sentence).replace(word, own)
            for key, sentence in sentences.items()
        }
    return sentences


def _begins(text: str, word: str) -> bool:
    """Say whether a word begins a sentence; where a mere part of one does, it keeps its small letter."""
    return text.startswith(word) and text.endswith((".", "?"))


def plain_page(reading: Reading, lang: str = "en") -> PlainPage:
    """Return the plain page of a result."""
    say = words_for(reading, lang)
    verdict = reading.verdict.kind
    parts = {
        "question": _question(reading, say),
        "answer": _answer(reading, verdict, say),
        "chart": (),
        "days": _days(reading, say),
        "sure": _sure(reading, verdict, say),
        "overturn": _overturn(reading, verdict, say),
        "cost": _cost(reading, verdict, say),
        "grade": _grade(reading, verdict, say),
        "unsaid": _unsaid(reading, verdict, say),
    }
    sections = tuple(Section(key, say[f"h_{key}"], sentences) for key, sentences in parts.items())
    return PlainPage(lang, title(reading, lang), say["note"], sections)


def unanswered_page(district: Mapping[str, str], lang: str = "en", why: str = "few") -> PlainPage:
    """Return the plain page of a district (code and name) without an effect, and `why` (`student_results.Reason`)."""
    say = catalog(lang)
    own = _named(short(district["name"]), district["code"], say)
    name = say["everybody_students"] if district["code"] == "ALL" else own
    keys = {"question": "question_students", "answer": f"answer_none_{why}", "unsaid": "unsaid_none"}
    sections = tuple(Section(key, say[f"h_{key}"], (say[text].format(name=name),)) for key, text in keys.items())
    return PlainPage(lang, say["title_students"].format(name=name), say["note"], sections)


def title(reading: Reading, lang: str = "en") -> str:
    """Return the page's question as its title."""
    say = words_for(reading, lang)
    return say[f"title_{kind(reading)}"].format(name=place_words(reading, say), n_treated=reading.n_treated)


def place_words(reading: Reading, say: dict[str, str]) -> str:
    """Return whose students or figures these are, in the page's language."""
    if reading.track == "students" and reading.code == "ALL":
        return say["everybody_students"]
    return _named(reading.name, reading.code, say)


def _named(name: str, code: str, say: dict[str, str]) -> str:
    """Return a name, or in the page's language what a district without one is called by: its code."""
    return say["place_by_code"].format(code=code) if name == catalog("en")["place_by_code"].format(code=code) else name


def pager_words(reading: Reading, lang: str) -> str:
    """Return what another page calls the page of a result, in the page's language."""
    say = words_for(reading, lang)
    pooled = reading.track == "public" and kind(reading) == "pooled"
    return capital(
        say["chart_treated_pooled"].format(n_treated=reading.n_treated) if pooled else place_words(reading, say)
    )


def period_words(text: str, period: str, say: dict[str, str]) -> str:
    """Return a text with the months of student files as the language of the page says them."""
    first, between, last = period.partition(" to ")
    return text.replace(period, say["months"].format(first=first, last=last)) if between else text


def words_for(reading: Reading, lang: str) -> dict[str, str]:
    """Return the sentences for a result: of what it measures, in its unit, and of all where all are one."""
    say = catalog(lang)
    kinds = ["_other"] if reading.other else ["_down"] if reading.verdict.lower_is_better else []
    kinds += ["_measure"] if reading.other and _outcome(reading).measure else []
    for end in kinds:
        say = {**say, **{key.removesuffix(end): text for key, text in say.items() if key.endswith(end)}}
    if reading.single and kind(reading) == "pooled":
        say = {**say, **{key.removesuffix("_alone"): text for key, text in say.items() if key.endswith("_alone")}}
    own = _own_words(reading, say)
    return {key: _fill(text, own) for key, text in say.items()}


def _outcome(reading: Reading) -> Outcome:
    return study_names().state.outcomes[reading.outcome]


def _own_words(reading: Reading, say: dict[str, str]) -> dict[str, str]:
    """Return what stands for the outcome and its unit in a sentence."""
    words = {"{points}": say["points"], "{pp}": say["percentage_points"]}
    if reading.other:
        outcome, lang = _outcome(reading), say["lang"]
        if outcome.measure:
            words = dict.fromkeys(words, outcome.measure.unit[lang][1])
        words |= {"{outcome}": outcome.plain[lang], "{better}": say[f"better_{outcome.better}"]}
        words |= {"{good}": say[f"good_{outcome.better}"]}
    return words


def _fill(text: str, words: dict[str, str]) -> str:
    for slot, word in words.items():
        text = text.replace(slot, word)
    return text


def _gain(reading: Reading) -> Span:
    """Return the effect in the direction that is better."""
    effect = reading.effect
    return effect.minus if reading.verdict.lower_is_better else effect


def kind(reading: Reading) -> str:
    """Return which question the page answers: of one district, of all together, or of visited students."""
    if reading.track == "students":
        return "students"
    return "pooled" if reading.code == "ALL" else "district"


def range_words(span: Span, say: dict[str, str], digits: int) -> str:
    """Return an interval in the page's language, or that there is none."""
    if span.low is None or span.high is None:
        return say["no_range"]
    return say["range"].format(low=number(span.low, digits), high=number(span.high, digits))


def _question(reading: Reading, say: dict[str, str]) -> tuple[str, ...]:
    group = group_words(reading, say)
    by_draw = "question_late" if reading.draw and reading.draw.late else "question_lottery"
    text = say[by_draw if reading.draw else f"question_{kind(reading)}"]
    sizes = {"n_treated": reading.n_treated, "n_comparison": reading.n_comparison}
    sentence = text.format(name=place_words(reading, say), group=group, **sizes)
    return (sentence, say["drawn_units"]) if reading.drawn else (sentence,)


def group_words(reading: Reading, say: dict[str, str]) -> str:
    """Return the comparison group in the page's language."""
    if reading.track == "students":
        return say["group_lottery" if reading.draw else "group_students"]
    names = study_names()
    if reading.comparison in names.state.groups:
        return names.state.groups[reading.comparison].words.plain[say["lang"]]
    comparison_words(reading.comparison)  # neither a group nor codes: an error, no silent fallback
    return say["group_custom"]


def _answer(reading: Reading, verdict: Kind, say: dict[str, str]) -> tuple[str, ...]:
    effect = _gain(reading) if verdict == "positive" else reading.effect
    low, high = ("" if end is None else number(end) for end in (effect.low, effect.high))
    suffix = "lottery" if reading.draw else "drawn" if reading.drawn else reading.track
    sentence = say.get(f"answer_{verdict}_{suffix}", say[f"answer_{verdict}"]).format(
        promised=_promised(reading, say),
        n_treated=reading.n_treated,
        n_comparison=reading.n_comparison,
        effect=number(effect.value),
        size=number(abs(effect.value)),
        low=low,
        high=high,
        range=range_words(effect, say, 2),
    )
    elsewhere = (say["answer_elsewhere"],) if reading.planned else ()
    wide = (say["answer_wide"],) if reading.verdict.wide and reading.track == "public" else ()
    return sentence, *wide, *_visited(reading, say), *_choices(reading, say), say["point_note"], *elsewhere


def _choices(reading: Reading, say: dict[str, str]) -> tuple[str, ...]:
    """Say what else was asked than of all students, in points, with each unit counted alike."""
    if reading.track == "students":
        return ()
    part = (say["part_note"],) if reading.of_part else ()
    scale = (say["scale_note"],) if reading.scale != "points" else ()
    return (*part, *scale, *((say["weights_note"],) if reading.weights != "equal" else ()))


def _promised(reading: Reading, say: dict[str, str]) -> str:
    """Return what was promised before a draw: the plan's own words, or the outcome and the day until it was closed."""
    if reading.draw is None:
        question, day = reading.promise
        own = say["promised_own"].format(words=question.rstrip(". "))
        return say["promised"].format(promised=own, outcomes_from=day) if question else say["promised_none"]
    if reading.draw.late:
        return say["promised_late"]
    if not reading.draw.on_record and not reading.draw.promised:
        return say["promised_none"]
    first, _, last = reading.post.partition(" to ")
    own = say["promised_own"].format(words=words) if (words := reading.draw.promised.rstrip(". ")) else ""
    own = own or say["promised_default"].format(first=first, last=last)
    key = "promised" if reading.draw.on_record else "promised_told"
    return say[key].format(promised=own, outcomes_from=reading.draw.outcomes_from)


def _visited(reading: Reading, say: dict[str, str]) -> tuple[str, ...]:
    """Return the effect of being visited where lots were drawn and the comparison stands."""
    if reading.draw is None or reading.verdict.kind == "failed_placebo":
        return ()
    if (visited := reading.draw.visited) is None:
        return (say["visited_none_lottery"],)
    return (say["visited_lottery"].format(visited=number(visited.value), range=range_words(visited, say, 2)),)


def _days(reading: Reading, say: dict[str, str]) -> tuple[str, ...]:
    if not reading.in_days:
        return (say["days_none"],)
    days = reading.effect.times(SCHOOL_DAYS / 100)
    if reading.verdict.kind in UNCLAIMED:
        return (say["days_unclaimed"].format(days=points(days.value, 1), range=range_words(days, say, 1)),)
    if reading.track == "students":
        key = "days_lottery" if reading.draw else "days_direct"
        return (say[key].format(days=points(days.value, 1), range=range_words(days, say, 1)),)
    average = say["days_average"].format(days=points(days.value, 1), range=range_words(days, say, 1))
    if not reading.coverage or not reading.effect.bounded:
        return (average,)
    if reading.of_part:
        return average, say["days_part"]
    if reading.days_refusal:
        return average, say["days_impossible"]
    visited, key = days.times(1 / reading.coverage), "days_visited_district" if reading.single else "days_visited"
    return average, say[key].format(
        coverage=number(100 * reading.coverage, 0), days=points(visited.value, 0), range=range_words(visited, say, 0)
    )


def _sure(reading: Reading, verdict: Kind, say: dict[str, str]) -> tuple[str, ...]:
    if verdict in ("failed_placebo", "selection", "placebo", "cannot_test"):
        return (_before_words(reading, verdict, say),)
    chance = say["sure_unknown"]
    if reading.together_failed:
        chance = say["sure_together_failed"]
    elif reading.chance_above is not None:
        key = "sure_chance_students" if reading.track == "students" else f"sure_chance_{reading.chance_prior}"
        chance = say[key].format(chance=chance_words(reading.chance_above, say))
    late = [say["sure_late"]] if reading.draw and reading.draw.late else []
    return (*late, chance, *_tests(reading, say), *([say["sure_untested"]] if reading.untested else []))


def _tests(reading: Reading, say: dict[str, str]) -> Iterator[str]:
    """Say what the same comparison shows where zero is expected; that it shows no more is why a chance is named."""
    where = {"sure_tested": reading.placebo, "sure_tested_control": reading.control}
    for key, span in where.items():
        if span is not None:
            text = say.get(f"{key}_{'lottery' if reading.draw else reading.track}", say[key])
            yield text.format(value=points(span.value), range=range_words(span, say, 2))


def _before_words(reading: Reading, verdict: Kind, say: dict[str, str]) -> str:
    """Say why nothing can be said however large the estimate: what earlier years show, or that no test could reject."""
    placebo, control = reading.placebo, reading.control
    if reading.draw and placebo is not None:
        return say["sure_failed_placebo_lottery"].format(
            placebo=points(placebo.value), range=range_words(placebo, say, 2)
        )
    if control is not None and (verdict == "selection" or not control.includes_zero):
        return say["sure_control"].format(control=points(control.value), range=range_words(control, say, 2))
    if verdict != "failed_placebo":
        return say[f"sure_{verdict}"]
    if placebo is None or (placebo.includes_zero and placebo.bounded):
        return say["sure_failed_trend"]
    key = "sure_failed_range" if placebo.bounded else "sure_failed"
    text = say.get(f"{key}_{reading.track}", say[key])
    return text.format(placebo=number(placebo.value), range=range_words(placebo, say, 2))


def chance_words(probability: float, say: dict[str, str]) -> str:
    """Return a probability as chances out of a small number."""
    if probability < CERTAIN:
        return say["chance_low"]
    for upper, n, of in CHANCES:
        if probability < upper:
            return say["chance_one" if n == 1 else "chance_many"].format(n=n, of=of)
    return say["chance_high"]


def _overturn(reading: Reading, verdict: Kind, say: dict[str, str]) -> tuple[str, ...]:
    effect = _gain(reading)
    key = f"overturn_{verdict}_lottery" if reading.draw else f"overturn_{verdict}"
    settle = () if reading.draw or reading.drawn or verdict == "placebo" else (say["overturn_settle"],)
    if reading.draw and reading.draw.late and verdict in ("positive", "negative"):
        return (say["overturn_late"],)
    if verdict in ("failed_placebo", "selection", "placebo"):
        return (say.get(f"{key}_{reading.track}", say[key]), *settle)
    if verdict == "positive" and effect.low is not None:
        return (say[key].format(bound=number(effect.low)), *settle)
    if verdict == "negative" and effect.high is not None:
        return (say[key].format(bound=number(-effect.high)), *settle)
    return (*_power_words(reading, say), *settle)


def _power_words(reading: Reading, say: dict[str, str]) -> list[str]:
    """Say what the preferred test finds in half and in four of five studies, and what the published effects come to."""
    sentences = []
    if reading.never_detects:
        sentences.append(say["overturn_never"])
    elif reading.mde is not None and reading.half is not None:
        sentences.append(say["overturn_half"].format(half=number(reading.half), mde=number(reading.mde)))
    elif reading.mde is not None:
        sentences.append(say["overturn_mde"].format(mde=number(reading.mde)))
    if reading.implied is not None:
        low, high = map(number, reading.implied)
        sentences.append(say["overturn_implied"].format(low=low, high=high))
        if reading.of_part:
            sentences.append(say["overturn_part"])
        if reading.excluded:
            sentences.append(say["overturn_excluded"].format(excluded=reading.excluded, n=reading.n_published))
    return sentences


def _cost(reading: Reading, verdict: Kind, say: dict[str, str]) -> tuple[str, ...]:
    if not reading.in_days:
        return (say["cost_no_days"],)
    if f"cost_{verdict}" in say:
        return (say[f"cost_{verdict}"],)
    if reading.of_part:
        return (say["cost_part"],)
    if reading.effect.includes_zero:
        return (say["cost_refused"],)
    if verdict == "negative":
        return (say["cost_none_gained"],)
    cost = reading.dollars_per_day
    if cost is None or cost.low is None or cost.high is None:
        return (say["cost_impossible" if reading.days_refusal else "cost_unknown"],)
    value, low, high = (number(item, 0) for item in (cost.value, cost.low, cost.high))
    return (say["cost_given"].format(value=value, low=low, high=high),)


def _grade(reading: Reading, verdict: Kind, say: dict[str, str]) -> tuple[str, ...]:
    if verdict == "placebo" or not reading.tier:
        return (say["grade_unknown"],)
    return say["grade"].format(tier=say[f"tier_{reading.tier}"]), say[_why(reading, verdict)]


def _why(reading: Reading, verdict: Kind) -> str:
    if verdict == "failed_placebo":
        return "why_failed"
    if reading.single:
        return "why_single"
    if reading.track == "students":
        return ("why_late" if reading.draw.late else "why_lottery") if reading.draw else "why_students"
    if reading.drawn and verdict == "positive":
        return "why_drawn"
    if verdict != "positive":
        return "why_negative" if verdict == "negative" else "why_null"
    return {"eligible": "why_eligible", "eligible if adjusted": "why_adjust"}.get(reading.eligible, "why_not_eligible")


def _unsaid(reading: Reading, verdict: Kind, say: dict[str, str]) -> tuple[str, ...]:
    if verdict == "placebo":
        return (say["unsaid_placebo"],)
    if reading.draw:
        return say["unsaid_lottery"], say["unsaid_direct"]
    if reading.drawn and verdict in ("positive", "negative"):
        return say["unsaid_drawn"], say["unsaid_students"]
    first = say["unsaid_clear" if verdict in ("positive", "negative") else "unsaid_null"]
    return first, say["unsaid_direct" if reading.track == "students" else "unsaid_students"]
