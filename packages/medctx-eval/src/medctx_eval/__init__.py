"""medctx-eval: closed- and open-book exams for language models, with paired verdicts."""
