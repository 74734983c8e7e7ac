"""What no ready-made linter checks here: how long things are, and that no file fixes where packages come from."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
DEEPEST_NESTING = 3
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# In two pieces, so that this file passes its own check.
REGISTRIES = re.compile(
    "|".join(("pythonhosted" r"\.org", "registry" r"\.npmjs", "registry" r"\.yarnpkg", r"/simple" r"/"))
)
LOCKED_ADDRESS = re.compile(r'"resolved"|^--(?:extra-)?index-url|^--find-links|@ https?://', re.M)
LOCK_FILES = re.compile(
    r"(?:^|/)(?:package-lock\.json|requirements[^/]*/[^/]+\.txt|requirements[^/]*\.txt|[^/]+\.lock)$"
)


def tracked_files() -> list[Path]:
    """List the files that git tracks and that are still there."""
    answer = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True)
    return [path for path in map(Path, answer.stdout.split("\0")[:-1]) if path.is_file()]


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Return how many blocks stand inside each other below a node; an elif is no deeper than its if."""
    deepest = depth
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        is_elif = name == "orelse" and len(children) == 1 and isinstance(children[0], ast.If)
        for child in children:
            if not isinstance(child, ast.AST) or isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                continue
            step = int(isinstance(child, BLOCKS) and not is_elif)
            deepest = max(deepest, nesting(child, depth + step))
    return deepest


def size_faults(path: Path, source: str) -> Iterator[str]:
    """Yield what is too long or too deep in a Python file."""
    lines = source.count("\n")
    if lines > LONGEST_MODULE:
        yield f"{path}: {lines} lines; at most {LONGEST_MODULE}: it probably has two jobs"
    for node in ast.walk(ast.parse(source, str(path))):
        if not isinstance(node, FUNCTIONS):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > LONGEST_FUNCTION:
            yield f"{path}:{node.lineno}: {node.name} has {length} lines; at most {LONGEST_FUNCTION}"
        if nesting(node) > DEEPEST_NESTING:
            yield f"{path}:{node.lineno}: {node.name} nests {nesting(node)} blocks; at most {DEEPEST_NESTING}"


def address_faults(path: Path, text: str) -> Iterator[str]:
    """Yield the lines that say where packages are downloaded from; that is for each machine's own configuration."""
    pattern = LOCKED_ADDRESS if LOCK_FILES.search(str(path)) else REGISTRIES
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line) or REGISTRIES.search(line):
            yield f"{path}:{number}: names a download address; each machine's own configuration says where from"


def faults(path: Path) -> Iterator[str]:
    """Yield all faults of a file; one that isn't text has none."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    if path.suffix == ".py" and "versions" not in path.parts:  # a migration is a list of columns, as long as its tables
        yield from size_faults(path, text)
    yield from address_faults(path, text)


def main() -> int:
    """Check every tracked file."""
    found = [fault for path in tracked_files() for fault in faults(path)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
