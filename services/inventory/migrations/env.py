from protomesh.runtime.store import env
from services.inventory.store import Base

env.run(Base.metadata)
