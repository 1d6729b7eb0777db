from protomesh.runtime.store import env
from services.identity.tables import Base

env.run(Base.metadata)
