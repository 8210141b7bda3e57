"""Side by side with the peers: one program a row, one command prints the table.

`measure` runs one program in a process of its own, `rows` says what a row is and turns runs into figures,
`report` writes them down, `machine` describes where they were taken, `sshd` is the throw-away server.
The rows are the modules `p*`. Nothing here is a test: no figure fails a build.
"""
