"""An example of a package that adds to fanout: a scheme of servers, and a job."""
