from protomesh.runtime.store import env
from services.payments.store import Base

env.run(Base.metadata)
