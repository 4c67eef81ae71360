"""Check the rules of names and of reading on the package: `python tools/check_names.py`.

Exit 1 with what breaks them.

A function is named by a verb or a noun, never by a participle alone. A name of a module stands once
in the package, and begins with an underscore where no other file uses it. The first line of a
docstring ends a sentence and stands alone, as listings and tooltips show no more. A conditional
expression does not stand directly within another.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "datamaster_kit"
USERS = ("nbs", "tests", "tools", "benchmarks", "templates", "docs")
REPEATED = {"main", "app"}  # a command line's entry and its typer application
PARTICIPLES = frozenset(
    """begun bound broken brought built chosen done drawn driven found given gone grown held kept
    known laid led left lost made meant met paid seen sent shown sold spoken spent stood taken
    taught thought thrown told understood worn written""".split()  # noqa: SIM905
)
NO_PARTICIPLES = {"embed", "exceed", "feed", "need", "seed", "speed"}
PREPOSITIONS = {"again", "apart", "at", "away", "by", "from", "in", "of", "on", "out", "to", "up"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_participle(word: str) -> bool:
    """Return whether a word is a past participle, which says neither who acts nor on what."""
    return word in PARTICIPLES or (word.endswith("ed") and word not in NO_PARTICIPLES)


def is_bare_participle(name: str) -> bool:
    """Return whether a name is a participle alone, or one with nothing but a preposition."""
    first, *rest = name.strip("_").split("_")
    return is_participle(first) and all(is_participle(w) or w in PREPOSITIONS for w in rest)


def assigned_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that an assignment of a module gives."""
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    for target in targets:
        for part in ast.walk(target) if isinstance(target, ast.expr) else ():
            if isinstance(part, ast.Name):
                yield part.id


def module_names(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the names that a module defines, each with the statement that does."""
    for statement in tree.body:
        if isinstance(statement, Definition):
            yield statement.name, statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            for name in assigned_names(statement):
                yield name, statement


def is_command(statement: ast.stmt) -> bool:
    """Return whether a function is a command of the command line, which its decorator makes it."""
    decorators = getattr(statement, "decorator_list", [])
    return any(re.search(r"\.(command|callback)\b", ast.unparse(item)) for item in decorators)


def is_exception(statement: ast.stmt) -> bool:
    """Return whether a class is an exception, which a caller may catch by its name."""
    bases = getattr(statement, "bases", [])
    return any(ast.unparse(base).endswith(("Error", "Exception")) for base in bases)


def annotated_names(tree: ast.Module) -> set[str]:
    """Return the names in annotations and types, which whoever uses the annotated thing meets."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            part = getattr(node, field, None)
            if isinstance(part, ast.expr):
                found |= {name.id for name in ast.walk(part) if isinstance(name, ast.Name)}
        if isinstance(node, ast.ClassDef):
            found |= {ast.unparse(base) for base in node.bases}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            found |= {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return found


def words_by_file() -> dict[Path, frozenset[str]]:
    """Return the words of each file that may use a name of the package."""
    files = [file for folder in USERS for file in (ROOT / folder).rglob("*") if file.is_file()]
    text_files = [file for file in files if file.suffix in {".ipynb", ".py", ".md", ".j2"}]
    return {
        file: frozenset(re.findall(r"\w+", file.read_text(encoding="utf-8"))) for file in text_files
    }


def source_notebook(module: Path, text: str) -> Path | None:
    """Return the notebook that a module is exported from."""
    header = re.search(r"File to edit: (\S+\.ipynb)", text)
    return (module.parent / header[1]).resolve() if header else None


def is_sentence_broken(text: str) -> bool:
    """Return whether a docstring's first line breaks off within a sentence, or runs on below."""
    first, *rest = text.split("\n")
    return not first.rstrip().endswith((".", ":", "?")) or bool(rest and rest[0].strip())


def reading_findings(tree: ast.Module) -> Iterator[str]:
    """Yield the docstrings and the conditional expressions that are hard to read."""
    for node in ast.walk(tree):
        if isinstance(node, Definition | ast.Module):
            text = ast.get_docstring(node, clean=False)
            if text is not None and is_sentence_broken(text):
                name = getattr(node, "name", "the module")
                yield f"the docstring of {name} has no sentence for its first line"
        elif isinstance(node, ast.IfExp):
            parts = (node.test, node.body, node.orelse)
            if any(isinstance(part, ast.IfExp) for part in parts):
                yield f"line {node.lineno}: a conditional stands within another; write an if"


def findings() -> Iterator[str]:
    """Yield what breaks the rules."""
    words, places = words_by_file(), defaultdict(set)
    files_with = Counter(word for found in words.values() for word in found)
    for module in sorted(PACKAGE.rglob("*.py")):
        if module.stem == "__init__":
            continue
        where, text = module.relative_to(ROOT), module.read_text(encoding="utf-8")
        tree = ast.parse(text)
        yield from (f"{where}: {finding}" for finding in reading_findings(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and is_bare_participle(node.name):
                yield f"{where}: {node.name} is a participle alone; name the act or the value"
        notebook, in_types = source_notebook(module, text), annotated_names(tree)
        own_words = words.get(notebook, frozenset()) if notebook else frozenset()
        for name, statement in module_names(tree):
            places[name].add(where)
            is_used = files_with[name] > (name in own_words)
            if name.startswith("_") or name in REPEATED or name in in_types or is_used:
                continue
            if not is_command(statement) and not is_exception(statement):
                yield f"{where}: nothing else uses {name}; begin it with an underscore"
    for name, modules in sorted(places.items()):
        if len(modules) > 1 and name not in REPEATED and not name.startswith("__"):
            yield f"{name} is in {', '.join(map(str, sorted(modules)))}; a name stands once"


def main() -> int:
    """Print what breaks the rules."""
    found = list(findings())
    print("\n".join(found) or "every name keeps the rule of names")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
