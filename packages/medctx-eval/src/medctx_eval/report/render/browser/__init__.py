"""The item browser of the page: which items it holds, and everything it shows of them."""

from medctx_eval.report.render.browser.contents import Contents, contents

__all__ = ["Contents", "contents"]
