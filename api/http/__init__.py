"""HTTP itself: server, limits, authentication, routing, queries, problems, caching. Knows no registry.

uvicorn is imported here without its `__init__`, because that loads its command line: click and a process supervisor cost
every service 3 MiB and 30 ms of processor time without being used (uvicorn 0.54, 2026-11-29). If something else has
already loaded uvicorn, it is left unchanged.
"""

import sys
from importlib.util import find_spec, module_from_spec

_spec = find_spec("uvicorn") if "uvicorn" not in sys.modules else None
if _spec is not None:
    sys.modules["uvicorn"] = module_from_spec(_spec)
