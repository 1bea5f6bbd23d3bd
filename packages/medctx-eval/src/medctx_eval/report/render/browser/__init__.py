"""The item browser of the page: which items it holds and what it shows of them."""

from medctx_eval.report.render.browser.contents import BrowserContents, contents

__all__ = ["BrowserContents", "contents"]
