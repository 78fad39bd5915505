"""Where assets are built that CDK then copies: in the assembly (``cdk.out``), where all is generated."""

from pathlib import Path

from aws_cdk import Stage
from constructs import IConstruct


def assets_folder(scope: IConstruct) -> Path:
    """Return the folder of the assembly of *scope* in which our assets are built."""
    stage = Stage.of(scope)
    if stage is None:
        raise ValueError(f"{scope.node.path or 'The construct'} is in no App; make it in a stack of one")
    return Path(stage.outdir) / "background-jobs"
