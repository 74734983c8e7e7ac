"""What our pages load beside the hub's own look: styles, icons and one script for each page.

The pool serves this folder for its pages and the hub for its own, so that a form works while the pool is down.
"""

from pathlib import Path

ASSETS = Path(__file__).resolve().parent / "static"
