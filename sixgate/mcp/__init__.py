"""MCP server: the tools of an agent, over the client of the HTTP API."""
