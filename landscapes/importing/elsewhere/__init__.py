"""Sweeps of merges that others published, read from a checkout of their repositories."""

from landscapes.importing.elsewhere import code_merges, naturelm
from landscapes.importing.elsewhere.checkout import Imported, Publication, import_publication

PUBLICATIONS = {one.name: one for one in (code_merges.PUBLICATION, naturelm.PUBLICATION)}
"""What can be read, by name."""

__all__ = ["PUBLICATIONS", "Imported", "Publication", "import_publication"]
