"""The command `protomesh`.

One module a verb, imported when the verb is used: `protomesh --help` must be quick. To a running mesh it speaks the
admin API and nothing else; the files of the logs it reads itself.
"""
