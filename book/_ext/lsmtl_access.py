"""Sphinx extension: what its HTML says to those who don't see the page.

The entries of a bibliography are items of a list; their role in Docutils' HTML was
deprecated (https://www.w3.org/TR/dpub-aria-1.1/#doc-biblioentry).
"""

ROLES = {'role="doc-biblioentry"': 'role="listitem"'}


def mend(app, page, template, context, doctree):
    """Give the elements of a page's text the roles that they have today."""
    for old, new in ROLES.items():
        if old in context.get("body", ""):
            context["body"] = context["body"].replace(old, new)


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
