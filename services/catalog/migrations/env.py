from protomesh.runtime.store import env
from services.catalog.store import Base

env.run(Base.metadata)
