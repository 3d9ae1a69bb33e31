"""Where nano pairs lie: built ones in a folder of the user's, one shipped with the package."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"
BUILT = Path("nano")
