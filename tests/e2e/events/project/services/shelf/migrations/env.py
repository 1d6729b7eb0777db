from services.shelf.store import METADATA

from protomesh.runtime.store import env

env.run(METADATA)
