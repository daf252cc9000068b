"""Keep what grades out of sight, in the package as students get it.

A checker knows the right answer. Who opens its module, on purpose or led there by an
editor, should not see it at a glance; so the students' copy holds the checkers
compressed. That is a curtain and no lock.
"""

import ast
import base64
import textwrap
import zlib

CURTAIN = '''# What grades the exercises knows the answers, so here it is compressed.
exec(__import__("zlib").decompress(__import__("base64").b64decode("""
{}
""")))
'''


def packed(source):
    """A chapter's module in which what only its checkers use is compressed.

    Args:
        source: of the module; it ends with `CHECKERS = (…)`.

    Raises:
        ValueError: it ends otherwise.
    """
    *nodes, last = ast.parse(source).body
    if not isinstance(last, ast.Assign) or last.targets[0].id != "CHECKERS":
        raise ValueError("a chapter's module should end with CHECKERS = (…)")
    functions = {n.name: n for n in nodes if isinstance(n, ast.FunctionDef)}
    others = [n for n in nodes if n not in functions.values()]
    public = {name for name in functions if not name.startswith("_")}
    open_ = _used(public | _names(others), functions)
    hidden = _used(_names([last]), functions) - open_
    lines, code = source.splitlines(), []
    for node in reversed([functions[name] for name in functions if name in hidden]):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
        code[:0] = [*lines[first : node.end_lineno], ""]
        del lines[first : node.end_lineno]
    text = base64.b64encode(zlib.compress("\n".join(code).encode(), 9)).decode()
    end = len(lines) - (last.end_lineno - last.lineno + 1)
    curtain = CURTAIN.format("\n".join(textwrap.wrap(text, 86)))
    return "\n".join([*lines[:end], curtain, *lines[end:], ""])


def _used(names, functions):
    """The functions with these names, and those that they use."""
    found, left = set(), {name for name in names if name in functions}
    while left:
        found |= left
        left = _names(functions[name] for name in left) & {*functions} - found
    return found


def _names(nodes):
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}
