"""HTTP itself: server, limits, who is let in, routing, queries, problems, caching. Knows no registry.

uvicorn is entered here without what is in its `__init__`, because that loads its command line: click and a supervisor of processes are
3 MiB and 30 ms of processor time in every service, none of which is used (uvicorn 0.54, 2026-11-29). A uvicorn that something else
has loaded already is left as it is.
"""

import sys
from importlib.util import find_spec, module_from_spec

_spec = find_spec("uvicorn") if "uvicorn" not in sys.modules else None
if _spec is not None:
    sys.modules["uvicorn"] = module_from_spec(_spec)
