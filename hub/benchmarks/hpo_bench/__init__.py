"""Our landscapes as problems: a package of OptunaHub's registry."""

from landscapes.exporting.optunahub import LandscapeProblem as Problem

__all__ = ["Problem"]
