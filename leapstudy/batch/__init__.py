"""Running every notebook for every district. The only room that knows papermill."""

import sys

# jsonschema, which nbformat brings, would compile a grammar of international addresses for longer than all other
# imports of a batch take together; no schema of a notebook has any, and without it only that one check is not made
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
