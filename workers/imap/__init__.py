"""IMAP (RFC 3501, RFC 9051): the same mailboxes on every other server. Each logon is a connection of its own.

service      a URL  ->  the server that workers speak to
session      opens mailboxes one after the other; what was learnt of the server holds for the next one
mailbox      folders and messages, as a job sees them
line         a connection: log on, and commands in flights
place        what a URL means;  tokens;  responses, failures      what a server says
"""
