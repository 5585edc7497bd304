"""What the site has and plain Markdown has not: a hook of mkdocs.

A picture is named once on a page, as it looks on dark; the site shows the one of its theme.
Lines that are typed look different from what the program says to them.
"""

from __future__ import annotations

import re

_PICTURE = re.compile(r"!\[([^\]]*)\]\((\S*pictures/\w+)-dark\.svg\)")
_TYPED = re.compile(r'<span class="go">((?:espshell&gt;|\$) )(.*?)</span>')


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the picture of each theme where one stands."""
    return _PICTURE.sub(
        r"![\1](\2-light.svg#only-light){loading=lazy}![\1](\2-dark.svg#only-dark){loading=lazy}",
        markdown,
    )


def on_page_content(html: str, **_: object) -> str:
    """Mark what is typed at a prompt."""
    return _TYPED.sub(r'<span class="gp">\1</span><span class="typed">\2</span>', html)
