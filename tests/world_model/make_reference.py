"""Write ``reference.json``: what the shipped model gives for the samples below. Run it when a new model is shipped.

``python tests/world_model/make_reference.py``
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codewm_lsp.world_model import WorldModel

FILE = Path(__file__).with_name("reference.json")

GET = "def get(self, key):\n    return self.store[key]\n"
GET_DEFAULT = "def get(self, key, default=None):\n    return self.store.get(key, default)\n"
PUT = "def put(self, key, value):\n    self.store[key] = value\n"
PUT_CHECKED = (
    "def put(self, key, value):\n    if key is None:\n        raise KeyError(key)\n    self.store[key] = value\n"
)
LOG = "async def main():\n    # say hello\n    print('hello', flush=True)\n"
LOG_NEW = "async def main():\n    # say goodbye\n    logger.info('goodbye %s', name)\n"
BROKEN = "def broken(x:\n    return foo(\n"

EDITS = [(GET, GET_DEFAULT), (PUT, PUT_CHECKED), (LOG, LOG_NEW), ("", GET), (PUT, ""), (GET, BROKEN), (GET, GET)]
STATES = [GET, GET_DEFAULT, PUT, LOG, BROKEN, ""]


def vectors() -> dict[str, Any]:
    """What the shipped model gives now."""
    model = WorldModel.load()
    edits = model.embed_edits(EDITS)
    predicted = model.predict_next([GET, PUT], edits[:3])
    return {
        "model": model.hash,
        "edits": edits.astype(float).round(3).tolist(),
        "states": model.embed_states(STATES).astype(float).round(3).tolist(),
        "predicted_edits": predicted.edits.astype(float).round(3).tolist(),
        "predicted_logits": predicted.logits.astype(float).round(3).tolist(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors()) + "\n", encoding="utf-8")
