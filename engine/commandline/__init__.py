"""The command line: arguments in, one result on stdout, everything else on stderr.

`parser` and `exit_codes` load immediately and import no library; each command's module is loaded when the
command runs. Rendering turns a report into text and decides nothing.
"""
