from protomesh.runtime.store import env
from services.recommendations.store import Base

env.run(Base.metadata)
