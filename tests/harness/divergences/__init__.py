"""Where Quart's own test client and a real server differ: each row of docs/divergences.md."""
