"""The command `protomesh`: words in, words out. It speaks with a running mesh by protomesh.admin.v1 only."""
