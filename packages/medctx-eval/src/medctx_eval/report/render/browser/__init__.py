"""The item browser of the page: which items it holds and what it shows of them."""
