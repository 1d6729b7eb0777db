from protomesh.runtime.events.tables import metadata
from protomesh.runtime.store import env

env.run(metadata)
