from protomesh.runtime.store import env
from services.identity.store import Base

env.run(Base.metadata)
