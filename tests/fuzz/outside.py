"""Everybody outside: always well, whatever they are asked."""

from quart import Quart

NOW = {"main": {"temp": 288.15, "feels_like": 287.0}, "weather": [{"description": "light rain"}]}

app = Quart(__name__)


@app.get("/data/2.5/weather")
async def weather() -> dict[str, object]:
    return {"name": "Here", **NOW}


@app.post("/<path:_>")
async def slack(_: str) -> str:
    return "ok"
