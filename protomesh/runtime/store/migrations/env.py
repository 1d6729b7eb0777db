from protomesh.runtime.store import env
from protomesh.runtime.store.tables import metadata

env.run(metadata)
