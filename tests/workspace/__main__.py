"""Print the routes: `python tests/workspace` gives a line each, with the page of the REST reference that it follows."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workspace import families  # noqa: F401 - its modules register the routes
from workspace.routes import ROUTES

for route in sorted(ROUTES, key=lambda item: (item.call.path, item.call.method)):
    sys.stdout.write(f"{route.call.method:<7}{route.call.path:<95}{route.page}\n")
