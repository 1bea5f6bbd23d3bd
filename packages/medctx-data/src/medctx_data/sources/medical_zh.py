"""The cards of medical sources in Chinese."""

from __future__ import annotations

from medctx_data.sources.card import BY_A_MODEL, SourceCard, on_hub

CHINESE = (
    SourceCard(
        name="huatuo-zh",
        domain="medical",
        language="zh",
        licence="Apache-2.0",
        restriction=f"its authors ask for academic use only; {BY_A_MODEL}",
        citation="Wang et al., HuaTuo: Tuning LLaMA Model with Chinese Medical Knowledge, arXiv:2304.06975, 2023.",
        form="alpaca",
        published="https://github.com/SCIR-HI/Huatuo-Llama-Med-Chinese",
    ),
    SourceCard(
        name="huatuo-sft",
        domain="medical",
        language="zh",
        licence="Apache-2.0",
        restriction=f"part of {BY_A_MODEL}",
        citation="Zhang et al., HuatuoGPT, Towards Taming Language Model to Be a Doctor, Findings of EMNLP 2023.",
        form="alternating",
        files=on_hub("FreedomIntelligence/HuatuoGPT-sft-data-v1", "HuatuoGPT_sft_data_v1.jsonl"),
        columns={"turns": "data"},
        published="https://github.com/FreedomIntelligence/HuatuoGPT",
    ),
    SourceCard(
        name="huatuogpt2-sft",
        domain="medical",
        language="zh",
        licence="Apache-2.0",
        restriction=BY_A_MODEL,
        citation="Chen et al., HuatuoGPT-II, One-stage Training for Medical Adaption of LLMs, arXiv:2311.09774, 2023.",
        form="chat",
        files=on_hub("FreedomIntelligence/HuatuoGPT2-SFT-GPT4-140K", "HuatuoGPT2-GPT4-SFT-140K.json"),
        columns={"messages": "conversations", "speaker": "from", "text": "value"},
        published="https://github.com/FreedomIntelligence/HuatuoGPT-II",
    ),
    SourceCard(
        name="disc-med-sft",
        domain="medical",
        language="zh",
        licence="Apache-2.0",
        restriction=f"part of {BY_A_MODEL}",
        citation="Bao et al., DISC-MedLLM: Bridging General Large Language Models and Real-World Medical "
        "Consultation, arXiv:2308.14346, 2023.",
        form="chat",
        files=on_hub("Flmc/DISC-Med-SFT", "DISC-Med-SFT_released.jsonl"),
        columns={"messages": "conversation", "speaker": "role", "text": "content"},
        published="https://github.com/FudanDISC/DISC-MedLLM",
    ),
    SourceCard(
        name="shennong-tcm",
        domain="medical",
        language="zh",
        licence="Apache-2.0",
        restriction=BY_A_MODEL,
        citation="Zhu et al., ShenNong-TCM: A Traditional Chinese Medicine Large Language Model, 2023.",
        form="pair",
        subdomain="traditional",
        files=on_hub("michaelwzhu/ShenNong_TCM_Dataset", "ChatMed_TCM-v0.2.json"),
        columns={"question": "{query}", "answer": "{response}"},
        published="https://github.com/michael-wzhu/ShenNong-TCM-LLM",
    ),
    SourceCard(
        name="cmedqa2",
        domain="medical",
        language="zh",
        licence="GPL-3.0",
        restriction="its authors allow non-commercial research only",
        citation="Zhang et al., Multi-Scale Attentive Interaction Networks for Chinese Medical Question Answer "
        "Selection, IEEE Access 6, 2018.",
        form="pair",
        files=on_hub("fzkuji/cMedQA2", "deduplicate_all/train.json"),
        columns={"question": "{question}", "answer": "{answer}"},
        published="https://github.com/zhangsheng93/cMedQA2",
        unconfirmed="the columns, which were seen in one program that reads the file and not in the file",
    ),
    SourceCard(
        name="cmexam-train",
        domain="medical",
        language="zh",
        licence="Apache-2.0",
        citation="Liu et al., Benchmarking Large Language Models on CMExam: A Comprehensive Chinese Medical Exam "
        "Dataset, NeurIPS 2023 Datasets and Benchmarks.",
        form="choice",
        files=on_hub("fzkuji/CMExam", "train.json"),
        columns={"question": "Question", "options": "Options", "answer": "Answer"},
        published="https://github.com/williamliujl/CMExam",
    ),
)
