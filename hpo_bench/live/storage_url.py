"""URLs of storages: as a message may show them, and with a driver that is installed."""

from importlib.util import find_spec

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


def shown(url: str) -> str:
    """The URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def with_driver(url: str) -> str:
    """The URL, of PostgreSQL with the driver that is installed where it names none.

    SQLAlchemy takes psycopg2 up to its version 2.0 and psycopg from 2.1 on, whichever of them is there.
    """
    try:
        place = make_url(url)
    except ArgumentError:
        return url
    drivers = [name for name in ("psycopg2", "psycopg") if find_spec(name)]
    if place.drivername != "postgresql" or not drivers:
        return url
    return place.set(drivername=f"postgresql+{drivers[0]}").render_as_string(hide_password=False)
