"""What talks to the outside: HTTP, JSON-RPC, and the services of iExec."""
