"""Run folders in, a comparison people read out."""

from medctx.schemas.report import Cell, Comparison, Score
from medctx_eval.report.build import build
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.model import Report

__all__ = ["Cell", "Comparison", "Report", "ReportConfig", "Score", "build"]
