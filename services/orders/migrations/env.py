from protomesh.runtime.store import env
from services.orders.store import Base

env.run(Base.metadata)
