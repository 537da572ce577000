"""The child: one session, one chunk at a time. Knows no fanout and no scheduling."""
