from importlib.resources import files

import pytest

TEMPLATES = files("fedmed.report.template")


@pytest.mark.parametrize("page", ["page.html", "index.html"])
def test_every_page_has_the_one_head_by_which_nothing_is_loaded_from_elsewhere(page: str) -> None:
    assert TEMPLATES.joinpath(page).read_text(encoding="utf-8").startswith('{% extends "base.html" %}')
    head = TEMPLATES.joinpath("base.html").read_text(encoding="utf-8").partition("</head>")[0]
    assert """<meta http-equiv="Content-Security-Policy" content="default-src 'none';""" in head
