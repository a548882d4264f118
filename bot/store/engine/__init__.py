"""The server behind the store: connections, topologies, the embedded engine, running scripts."""
