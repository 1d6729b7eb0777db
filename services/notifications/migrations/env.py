from protomesh.runtime.store import env
from services.notifications.store import Base

env.run(Base.metadata)
