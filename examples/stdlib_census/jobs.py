"""The census job: what is in one Python file. Run as the main of a container."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from background_jobs import job_name, run_e11_job

_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.BoolOp,
    ast.IfExp,
    ast.comprehension,
    ast.match_case,
)


class SourceFile(BaseModel):
    """The params of one instance."""

    path: str
    """A Python file, relative to *root*."""
    root: str


class FileCensus(BaseModel):
    """The result of one instance."""

    lines: int
    functions: int
    classes: int
    complexity: int
    """McCabe's: one for each function, and one for each branch."""
    most_complex: str
    """The function with the most branches; empty if there are no functions."""
    most_complex_branches: int


@job_name("census")
class Census:
    """Counts what is in one file; a file that does not parse is a failure, with its SyntaxError."""

    def run(self, params: SourceFile) -> FileCensus:
        """Parse the file and count."""
        source = (Path(params.root) / params.path).read_bytes()
        tree = ast.parse(source, params.path)
        branches = {function.name: _branches(function) for function in _functions(tree)}
        most_complex = max(branches, key=lambda name: branches[name], default="")
        functions = sum(1 for _ in _functions(tree))
        return FileCensus(
            lines=source.count(b"\n"),
            functions=functions,
            classes=sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree)),
            complexity=functions + _branches(tree),
            most_complex=most_complex,
            most_complex_branches=branches.get(most_complex, 0),
        )


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _branches(tree: ast.AST) -> int:
    return sum(isinstance(node, _BRANCHES) for node in ast.walk(tree))


if __name__ == "__main__":
    run_e11_job([Census])
