from __future__ import annotations

from pathlib import Path

import pytest

from medctx.config import loading as config
from medctx.config.loading import Config
from medctx.errors import MedctxError


class Inner(Config):
    rate: float = 1.0


class Outer(Config):
    ratio: str = "1:1"
    flag: str = "yes"
    inner: Inner = Inner()
    names: tuple[str, ...] = ()


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("inner: {rat: 2}\n")
    with pytest.raises(MedctxError, match=r"Unknown key 'rat' in .*a\.yaml \(under inner\) \(did you mean 'rate'\?\)"):
        config.load(Outer, file)


class Other(Config):
    kind: str = "other"
    depth: int = 0


class Needed(Config):
    kind: str = "needed"
    rate: float


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{kind: needed}", "lacks the key 'rate'; add it"),
        ("{kind: needed, rat: 1}", "Unknown key 'rat' .*did you mean 'rate'"),
        ("{kind: other, rate: 1}", "Unknown key 'rate'"),
        ("{kind: neded}", r"has the kind 'neded' \(did you mean 'needed'\?\); known are: needed, other"),
        ("{rate: 1}", "lacks the key 'kind'; known are: needed, other"),
    ],
)
def test_one_of_several_configs_is_told_apart_by_a_key(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    kinds: dict[str, type[Needed] | type[Other]] = {"needed": Needed, "other": Other}
    with pytest.raises(MedctxError, match=sentence):
        config.load_one_of(kinds, "kind", file)
    loaded = config.load_one_of(kinds, "kind", None, ["kind=needed rate=2"])
    assert isinstance(loaded, Needed) and loaded.rate == 2


@pytest.mark.parametrize(
    ("text", "expected"), [("ratio: 1:1", "1:1"), ("ratio: 9:1", "9:1"), ("flag: no", "no"), ("flag: on", "on")]
)
def test_ratios_and_words_stay_what_is_written(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    loaded = config.load(Outer, file)
    assert expected in {loaded.ratio, loaded.flag}


@pytest.mark.parametrize(
    ("overrides", "rate", "names"),
    [
        (["inner.rate=1e-3"], 1e-3, ()),
        (["inner.rate=2 names=[a,b]"], 2.0, ("a", "b")),
        (["names=[a, b]", ""], 1.0, ("a", "b")),
    ],
)
def test_overrides_reach_into_sections(overrides: list[str], rate: float, names: tuple[str, ...]) -> None:
    loaded = config.load(Outer, None, overrides)
    assert (loaded.inner.rate, loaded.names) == (rate, names)


@pytest.mark.parametrize("override", ["novalue", "ratio=[1:", "inner.rate.deep=1"])
def test_a_bad_override_is_one_sentence(override: str) -> None:
    with pytest.raises(MedctxError, match="override"):
        config.load(Outer, None, ["inner.rate=1", override])


def test_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text("")
    with pytest.raises(MedctxError, match=r"no config 'quik' \(did you mean 'quick'\?\)"):
        config.find("quik", [tmp_path])


def test_saved_config_loads_again(tmp_path: Path) -> None:
    original = Outer(ratio="1:9", inner=Inner(rate=0.5))
    config.save(original, tmp_path / "c.yaml")
    assert config.load(Outer, tmp_path / "c.yaml") == original


class Numbers(Config):
    count: int = 0
    share: float | None = None
    limit: int | bool = 0
    switch: bool = False


@pytest.mark.parametrize("key", ["count", "share"])
@pytest.mark.parametrize("word", ["true", "false"])
def test_a_switch_is_no_number(key: str, word: str) -> None:
    with pytest.raises(MedctxError, match=f"{key}: {word} is no number"):
        config.load(Numbers, None, [f"{key}={word}"])


def test_a_switch_is_one_where_the_key_takes_it() -> None:
    loaded = config.load(Numbers, None, ["limit=true", "switch=true", "count=3", "share=null"])
    assert loaded == Numbers(limit=True, switch=True, count=3)
