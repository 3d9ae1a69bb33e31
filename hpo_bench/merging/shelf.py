"""Where nano pairs lie: built ones in a folder of the user's, one shipped with the package."""

from pathlib import Path

SHIPPED = Path(__file__).parents[1] / "nano" / "shipped"
BUILT = Path("nano")
