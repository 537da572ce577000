"""MAPI over HTTP ([MS-OXCMAPIHTTP]): ROP buffers posted to a server, and its address book asked for mailboxes.

service      a URL  ->  the server that workers speak to
transport    session contexts: Connect, Execute, Disconnect, PING
directory    the address book: Bind, QueryRows, ResolveNames, Unbind;  autodiscover: names alone
channel      one HTTP connection: headers, cookies, sequence, authentication
bodies, nspi, frames, lz77, answer      what stands in requests and answers; no I/O
"""
